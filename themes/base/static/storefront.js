/* Conveniences of the storefront: colour scheme, copy buttons, model filter. Every page works without it. */
(function () {
  "use strict";
  var root = document.documentElement;
  var KEY = "scheme";

  function stored() {
    try { return localStorage.getItem(KEY); } catch (error) { return null; }
  }

  function store(value) {
    try { localStorage.setItem(KEY, value); } catch (error) { /* private mode: the choice lasts for this page */ }
  }

  // Runs while the head is read, so that the first paint has the chosen colours.
  var chosen = stored();
  if (chosen === "light" || chosen === "dark") root.dataset.scheme = chosen;
  // And has the room of what scripts show once the page is read.
  root.classList.add("js");

  var systemDark = window.matchMedia("(prefers-color-scheme: dark)");
  function isDark() {
    return root.dataset.scheme ? root.dataset.scheme === "dark" : systemDark.matches;
  }

  function announce(text) {
    var region = document.getElementById("announce");
    if (!region) return;
    region.textContent = "";
    window.setTimeout(function () { region.textContent = text; }, 30);
  }

  function setUpScheme(button) {
    function label() {
      var text = isDark() ? button.dataset.toLight : button.dataset.toDark;
      button.setAttribute("aria-label", text);
      button.title = text;
    }
    button.hidden = false;
    button.addEventListener("click", function () {
      root.dataset.scheme = isDark() ? "light" : "dark";
      store(root.dataset.scheme);
      label();
    });
    systemDark.addEventListener("change", label);
    label();
  }

  // The browser can't point at what is missing in a closed fold.
  document.addEventListener("invalid", function (event) {
    var fold = event.target.closest("details:not([open])");
    if (fold) fold.open = true;
  }, true);

  function copyOldWay(text) {
    var area = document.createElement("textarea");
    area.value = text;
    area.setAttribute("readonly", "");
    area.className = "sr-only";
    document.body.appendChild(area);
    area.select();
    var done = document.execCommand("copy");
    area.remove();
    return done ? Promise.resolve() : Promise.reject(new Error("copy"));
  }

  function copy(text) {
    if (!navigator.clipboard) return copyOldWay(text);
    return navigator.clipboard.writeText(text).catch(function () { return copyOldWay(text); });
  }

  function setUpCopy(button) {
    var label = button.textContent;
    var timer;
    button.hidden = false;
    button.addEventListener("click", function () {
      var source = button.closest("[data-copy-from]").querySelector("[data-copy-text]");
      copy(source.textContent).then(function () { return button.dataset.done; }, function () { return button.dataset.failed; })
        .then(function (text) {
          button.textContent = text;
          announce(text);
          window.clearTimeout(timer);
          timer = window.setTimeout(function () { button.textContent = label; }, 2000);
        });
    });
  }

  function setUpFilter(box) {
    var input = box.querySelector("input");
    var count = box.querySelector("[data-filter-count]");
    var items = Array.prototype.slice.call(document.querySelectorAll("[data-filter-item]"));
    function apply() {
      var words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      var shown = 0;
      items.forEach(function (item) {
        var text = item.dataset.filterItem.toLowerCase();
        item.hidden = !words.every(function (word) { return text.indexOf(word) >= 0; });
        if (!item.hidden) shown += 1;
      });
      count.textContent = count.dataset.template.replace("{shown}", String(shown)).replace("{total}", String(items.length));
    }
    box.hidden = false;
    input.addEventListener("input", apply);
    apply();
  }

  function each(selector, action) {
    Array.prototype.forEach.call(document.querySelectorAll(selector), action);
  }

  document.addEventListener("DOMContentLoaded", function () {
    each("[data-scheme-toggle]", setUpScheme);
    each("[data-copy]", setUpCopy);
    each("[data-filter]", setUpFilter);
  });
})();
