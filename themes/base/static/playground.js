/* The playground: chat by the session's own right. What a model says is put into the page as text, never as markup. */
(function () {
  "use strict";
  var SETTLED_MS = 1500;
  var box = document.querySelector("[data-playground]");
  if (!box || !window.fetch || !window.TextDecoderStream) return;

  var log = box.querySelector("[data-log]");
  var form = box.querySelector("[data-form]");
  var input = form.querySelector("textarea");
  var send = box.querySelector("[data-send]");
  var stop = box.querySelector("[data-stop]");
  var again = document.querySelector("[data-new-chat]");
  var hello = box.querySelector("[data-hello]");
  var fields = ["model", "system", "temperature", "max", "effort"].reduce(function (all, name) {
    all[name] = document.getElementById("p-" + name);
    return all;
  }, {});
  var turns = [];
  var under = null;

  function text(name) {
    return box.getAttribute("data-text-" + name) || "";
  }

  /* With the page's separators, and European digits as everywhere on it. */
  function number(value) {
    return value.toLocaleString(document.documentElement.lang + "-u-nu-latn");
  }

  function make(tag, className, content) {
    var element = document.createElement(tag);
    if (className) element.className = className;
    if (content) element.textContent = content;
    return element;
  }

  function add(role, name) {
    hello.hidden = true;
    var turn = make("div", "chat-turn " + role);
    turn.append(make("p", "label", name), make("div", "said"));
    log.append(turn);
    return turn;
  }

  function atEnd() {
    return log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  }

  /* The request as it would go to the API: also what "view code" shows. */
  function request(messages) {
    var body = { model: fields.model.value, messages: [] };
    var system = fields.system.value.trim();
    if (system) body.messages.push({ role: "system", content: system });
    body.messages = body.messages.concat(messages);
    if (fields.temperature.value !== "") body.temperature = Number(fields.temperature.value);
    if (fields.max.value !== "") body.max_completion_tokens = Number(fields.max.value);
    if (fields.effort.value) body.reasoning_effort = fields.effort.value;
    body.stream = true;
    return body;
  }

  function trouble(turn, message, link) {
    var line = make("p", "trouble", message + " ");
    line.setAttribute("role", "alert");
    if (link) {
      var anchor = make("a", "", text("credit"));
      anchor.href = "/account/billing";
      line.append(anchor);
    }
    turn.append(line);
  }

  function facts(turn, usage, id) {
    var line = make("p", "facts-line");
    if (usage) {
      line.append(make("span", "", text("tokens").replace("{input}", number(usage.prompt_tokens)).replace("{output}", number(usage.completion_tokens))));
    }
    turn.append(line);
    if (!id) return;
    // The charge is written down before the answer's last byte is sent.
    fetch(box.dataset.record + id + "/charge", { credentials: "same-origin" }).then(function (answer) {
      return answer.ok ? answer.json() : null;
    }).then(function (record) {
      if (!record) return;
      var anchor = make("a", "", record.charge_text);
      anchor.href = box.dataset.record + id;
      line.append(anchor);
    }, function () { /* the answer stands without its charge */ });
  }

  function think(turn, words) {
    var thoughts = turn.querySelector(".thoughts");
    if (!thoughts) {
      thoughts = make("details", "thoughts");
      thoughts.append(make("summary", "", text("thinking")), make("div", "said"));
      turn.insertBefore(thoughts, turn.querySelector(".said"));
    }
    thoughts.querySelector(".said").append(words);
  }

  function read(answer, turn) {
    var state = { said: "", usage: null, done: false, error: null };
    var reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    var rest = "";

    function take(line) {
      if (line.indexOf("data:") !== 0) return;
      var data = line.slice(5).trim();
      if (data === "[DONE]") { state.done = true; return; }
      var event = JSON.parse(data);
      if (event.error) { state.error = event.error.message; return; }
      if (event.usage) state.usage = event.usage;
      var delta = event.choices && event.choices[0] && event.choices[0].delta;
      if (!delta) return;
      var down = atEnd();
      var thought = delta.reasoning_content || delta.reasoning;
      if (typeof thought === "string" && thought) think(turn, thought);
      if (delta.content) {
        state.said += delta.content;
        turn.querySelector(":scope > .said").append(delta.content);
      }
      if (down) log.scrollTop = log.scrollHeight;
    }

    function next() {
      return reader.read().then(function (part) {
        if (part.done) return state;
        var lines = (rest + part.value).split("\n");
        rest = lines.pop();
        lines.forEach(take);
        return next();
      });
    }
    return next().catch(function (error) {
      state.broken = error;
      return state;
    });
  }

  function busy(on) {
    send.disabled = on;
    send.setAttribute("aria-busy", String(on));
    stop.hidden = !on;
  }

  function refused(answer, turn) {
    return answer.json().then(function (body) { return body.error || {}; }, function () { return {}; }).then(function (error) {
      trouble(turn, answer.status === 403 && !error.message ? text("signed-out") : error.message || text("failed"), answer.status === 402);
    });
  }

  function ask() {
    var words = input.value.trim();
    if (!words || under) return;
    turns.push({ role: "user", content: words });
    add("user", text("you")).querySelector(".said").textContent = words;
    input.value = "";
    var turn = add("assistant", fields.model.value);
    log.scrollTop = log.scrollHeight;
    var body = request(turns);
    body.stream_options = { include_usage: true };
    under = new AbortController();
    busy(true);
    var id = null;
    fetch(box.dataset.playground, {
      method: "POST",
      credentials: "same-origin",
      headers: { "content-type": "application/json", "x-csrf-token": box.dataset.csrf },
      body: JSON.stringify(body),
      signal: under.signal,
    }).then(function (answer) {
      if (!answer.ok) {
        turns.pop();
        input.value = words;
        return refused(answer, turn);
      }
      id = answer.headers.get("x-request-id");
      return read(answer, turn).then(function (state) {
        turns.push({ role: "assistant", content: state.said });
        if (state.broken) turn.append(make("p", "small", under.signal.aborted ? text("stopped") : text("cut")));
        else if (state.error) trouble(turn, state.error);
        if (!state.broken) facts(turn, state.usage, id);
        // What was left in the middle is charged within a moment, for what had come.
        else window.setTimeout(function () { facts(turn, null, id); }, SETTLED_MS);
      });
    }).catch(function () {
      if (under.signal.aborted) { turn.append(make("p", "small", text("stopped"))); return; }
      turns.pop();
      input.value = words;
      trouble(turn, text("failed"));
    }).then(function () {
      under = null;
      busy(false);
      showCode();
      input.focus();
    });
    showCode();
  }

  function indent(value, by) {
    return JSON.stringify(value, null, 2).split("\n").join("\n" + by);
  }

  function python(value, by) {
    // JSON and Python differ in three words only, none of which stands outside a string here but these.
    return JSON.stringify(value, null, 4).replace(/("(?:[^"\\]|\\.)*")|\btrue\b|\bfalse\b|\bnull\b/g, function (word, string) {
      return string || { true: "True", false: "False", null: "None" }[word];
    }).split("\n").join("\n" + by);
  }

  function quoted(words) {
    return "'" + words.split("'").join("'\\''") + "'";
  }

  var CODE = {
    curl: function (body) {
      return "curl " + quoted(box.dataset.baseUrl + "/chat/completions") + " \\\n" +
        '  -H "Authorization: Bearer $' + box.dataset.keyVariable + '" \\\n' +
        '  -H "Content-Type: application/json" \\\n' +
        "  -d " + quoted(indent(body, "  "));
    },
    python: function (body) {
      var lines = Object.keys(body).map(function (name) { return "    " + name + "=" + python(body[name], "    ") + ","; });
      return "import os\nfrom openai import OpenAI\n\nclient = OpenAI(\n    base_url=" + JSON.stringify(box.dataset.baseUrl) +
        ',\n    api_key=os.environ["' + box.dataset.keyVariable + '"],\n)\nstream = client.chat.completions.create(\n' + lines.join("\n") +
        '\n)\nfor chunk in stream:\n    if chunk.choices:\n        print(chunk.choices[0].delta.content or "", end="", flush=True)';
    },
    node: function (body) {
      return 'import OpenAI from "openai";\n\nconst client = new OpenAI({\n  baseURL: ' + JSON.stringify(box.dataset.baseUrl) +
        ",\n  apiKey: process.env." + box.dataset.keyVariable + ",\n});\nconst stream = await client.chat.completions.create(" + indent(body, "") +
        ');\nfor await (const chunk of stream) {\n  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");\n}';
    },
  };

  function showCode() {
    var written = input.value.trim();
    var messages = written || !turns.length ? turns.concat([{ role: "user", content: written }]) : turns;
    Object.keys(CODE).forEach(function (name) {
      box.querySelector('[data-code="' + name + '"]').textContent = CODE[name](request(messages));
    });
  }

  form.addEventListener("submit", function (event) { event.preventDefault(); ask(); });
  input.addEventListener("keydown", function (event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); ask(); }
  });
  stop.addEventListener("click", function () { if (under) under.abort(); });
  again.addEventListener("click", function () {
    if (under) under.abort();
    turns = [];
    Array.prototype.forEach.call(log.querySelectorAll(".chat-turn"), function (turn) { turn.remove(); });
    hello.hidden = false;
    showCode();
    input.focus();
  });
  Object.keys(fields).forEach(function (name) { fields[name].addEventListener("input", showCode); });
  input.addEventListener("input", showCode);
  box.hidden = false;
  again.hidden = false;
  showCode();
})();
