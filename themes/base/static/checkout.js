/* Opens the payment provider's checkout over the page. Without its script, or when it fails, the links on the page do. */
(function () {
  "use strict";
  var box = document.querySelector("[data-checkout]");
  if (!box) return;
  var button = box.querySelector("[data-open]");

  function settings() {
    var chosen = { displayMode: "overlay", locale: box.dataset.lang, allowLogout: false };
    if (box.dataset.success) chosen.successUrl = box.dataset.success;
    return chosen;
  }

  function fail() {
    box.querySelector("[data-failed]").hidden = false;
    box.querySelector("[data-opening]").hidden = true;
  }

  function open() {
    window.Paddle.Checkout.open({ transactionId: box.dataset.checkout, settings: settings() });
  }

  try {
    if (box.dataset.sandbox) window.Paddle.Environment.set("sandbox");
    window.Paddle.Initialize({
      token: box.dataset.token,
      checkout: { settings: settings() },
      eventCallback: function (event) {
        if (event && event.name === "checkout.error") fail();
        if (event && event.name === "checkout.closed") button.hidden = false;
      },
    });
    /* A payment link names its transaction in the address, and the provider's script opens that by itself. */
    if (new URLSearchParams(window.location.search).get("_ptxn") === null) open();
    button.addEventListener("click", open);
  } catch (_) {
    fail();
  }
})();
