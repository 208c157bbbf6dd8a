/* Live parts of the customer portal: steps that are ticked as they happen, calls that show up as they are made. */
(function () {
  "use strict";
  var FIRST_WAIT_MS = 2000;
  var LONGEST_WAIT_MS = 30000;
  var MOST_ROWS = 100;

  function parse(html) {
    return new DOMParser().parseFromString(html, "text/html").body;
  }

  function say(text) {
    var region = document.getElementById("announce");
    if (region) region.textContent = text;
  }

  /* Looks every two seconds at first, then more and more rarely while nothing happens; not at all in a hidden tab. */
  function setUpSteps(box) {
    var wait = FIRST_WAIT_MS;
    var timer;

    function done() {
      return Number(box.querySelector("[data-done]").dataset.done);
    }

    function show(html) {
      var list = parse(html).querySelector("[data-done]");
      if (!list || Number(list.dataset.done) === done()) return false;
      box.replaceChildren(list);
      var count = document.querySelector("[data-steps-count]");
      if (count) {
        count.textContent = count.dataset.template.replace("{done}", String(done())).replace("{all}", box.dataset.all);
        say(count.textContent);
      }
      return true;
    }

    function look() {
      fetch(box.dataset.steps, { credentials: "same-origin" }).then(function (answer) {
        return answer.ok ? answer.text() : "";
      }).then(function (html) {
        wait = show(html) ? FIRST_WAIT_MS : Math.min(wait * 1.3, LONGEST_WAIT_MS);
      }, function () {
        wait = Math.min(wait * 2, LONGEST_WAIT_MS);
      }).then(plan);
    }

    function plan() {
      window.clearTimeout(timer);
      if (!document.hidden && done() < Number(box.dataset.all)) timer = window.setTimeout(look, wait);
    }

    document.addEventListener("visibilitychange", function () {
      wait = FIRST_WAIT_MS;
      plan();
    });
    plan();
  }

  function setUpLive(button) {
    var body = document.querySelector("[data-calls]");
    var source = null;

    function add(event) {
      var news = JSON.parse(event.data);
      var table = document.createElement("table");
      table.innerHTML = news.html;
      Array.prototype.forEach.call(table.querySelectorAll("tr[data-call]"), function (row) {
        if (body.querySelector('[data-call="' + row.dataset.call + '"]')) return;
        row.classList.add("fresh");
        body.prepend(row);
      });
      while (body.children.length > MOST_ROWS) body.lastElementChild.remove();
      Array.prototype.forEach.call(document.querySelectorAll("[data-empty]"), function (note) { note.hidden = true; });
    }

    function set(on) {
      button.setAttribute("aria-pressed", String(on));
      button.querySelector("span").textContent = on ? button.dataset.on : button.dataset.off;
      if (source) source.close();
      source = on ? new EventSource(button.dataset.live) : null;
      if (source) source.addEventListener("calls", add);
    }

    if (!window.EventSource || !body) return;
    button.hidden = false;
    button.addEventListener("click", function () { set(source === null); });
    window.addEventListener("pagehide", function () { if (source) source.close(); });
  }

  /* Where the navigation is a row that scrolls, it begins at the page that is shown. */
  function showWhere(here) {
    var row = here.closest("ul");
    var place = here.getBoundingClientRect();
    var room = row.getBoundingClientRect();
    row.scrollLeft += (place.left + place.right - room.left - room.right) / 2;
  }

  /* A payment that is being confirmed: the page is asked for again while somebody looks at it. */
  function lookAgain(note) {
    window.setTimeout(function again() {
      if (!document.hidden) window.location.reload();
      else window.setTimeout(again, 1000);
    }, Number(note.dataset.again) * 1000);
  }

  Array.prototype.forEach.call(document.querySelectorAll("[data-again]"), lookAgain);
  Array.prototype.forEach.call(document.querySelectorAll(".side-nav [aria-current]"), showWhere);
  Array.prototype.forEach.call(document.querySelectorAll("[data-steps]"), setUpSteps);
  Array.prototype.forEach.call(document.querySelectorAll("[data-live]"), setUpLive);
})();
