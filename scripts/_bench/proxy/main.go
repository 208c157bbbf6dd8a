// A reverse proxy of Go's standard library alone, to be measured beside the gateway: it checks, meters and logs nothing.
//
//	proxy ADDRESS UPSTREAM_URL
package main

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"time"
)

const (
	copyBytes       = 32 << 10
	idleConnections = 1024
)

// buffers lends what bodies are copied through, so that an answer costs the collector nothing.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte       { return *b.pool.Get().(*[]byte) }
func (b *buffers) Put(buffer []byte) { b.pool.Put(&buffer) }

func main() {
	if err := serve(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "proxy:", err)
		os.Exit(1)
	}
}

func serve(arguments []string) error {
	if len(arguments) != 3 {
		return fmt.Errorf("usage: proxy ADDRESS UPSTREAM_URL")
	}
	upstream, err := url.Parse(arguments[2])
	if err != nil {
		return err
	}
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	// Every piece of a stream leaves at once.
	proxy.FlushInterval = -1
	proxy.Transport = &http.Transport{
		MaxIdleConns:        idleConnections,
		MaxIdleConnsPerHost: idleConnections,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true,
	}
	proxy.BufferPool = &buffers{sync.Pool{New: func() any {
		made := make([]byte, copyBytes)
		return &made
	}}}
	server := &http.Server{Addr: arguments[1], Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}
