/* Conveniences of the brand editor: colours by the picker, the preview's page and scheme together. It works without. */
(function () {
  "use strict";
  var HEX = /^#[0-9a-f]{6}$/i;

  function setUpPicker(picker) {
    var field = document.getElementById(picker.dataset.pick);
    picker.addEventListener("input", function () { field.value = picker.value; });
    field.addEventListener("input", function () {
      if (HEX.test(field.value.trim())) picker.value = field.value.trim();
      else if (!field.value.trim() && HEX.test(field.placeholder)) picker.value = field.placeholder;
    });
  }

  function setUpPreview(frame) {
    var page = "home";
    var scheme = "light";
    function mark(name, value) {
      Array.prototype.forEach.call(document.querySelectorAll("[data-preview-" + name + "]"), function (link) {
        if (link.getAttribute("data-preview-" + name) === value) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      });
    }
    function show(event) {
      var link = event.currentTarget;
      page = link.dataset.previewPage || page;
      scheme = link.dataset.previewScheme || scheme;
      mark("page", page);
      mark("scheme", scheme);
      frame.src = frame.dataset.previewBase + "/" + scheme + "/" + page;
      event.preventDefault();
    }
    Array.prototype.forEach.call(document.querySelectorAll("[data-preview-page], [data-preview-scheme]"), function (link) {
      link.addEventListener("click", show);
    });
  }

  Array.prototype.forEach.call(document.querySelectorAll("[data-pick]"), setUpPicker);
  Array.prototype.forEach.call(document.querySelectorAll("[data-preview]"), setUpPreview);

  var form = document.querySelector("[data-brand-form]");
  var changed = false;
  if (form) {
    form.addEventListener("input", function () { changed = true; });
    form.addEventListener("submit", function () { changed = false; });
    window.addEventListener("beforeunload", function (event) { if (changed) event.preventDefault(); });
  }
})();
