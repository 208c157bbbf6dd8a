/* Passkeys: asks the server for a challenge, the browser for its answer, and brings it back. Hidden where there are none. */
(function () {
  "use strict";
  if (!window.PublicKeyCredential || !navigator.credentials) return;

  function bytes(text) {
    var padded = text.replace(/-/g, "+").replace(/_/g, "/");
    return Uint8Array.from(atob(padded + "===".slice((padded.length + 3) % 4)), function (c) { return c.charCodeAt(0); });
  }

  function text(buffer) {
    return btoa(String.fromCharCode.apply(null, new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function post(path, fields) {
    return fetch(path, { method: "POST", body: new URLSearchParams(fields), credentials: "same-origin" }).then(function (answer) {
      if (!answer.ok) throw new Error("refused");
      return answer.json();
    });
  }

  function known(list) {
    return (list || []).map(function (one) { return Object.assign({}, one, { id: bytes(one.id) }); });
  }

  function written(credential) {
    var response = credential.response;
    var fields = { clientDataJSON: text(response.clientDataJSON) };
    ["attestationObject", "authenticatorData", "signature", "userHandle"].forEach(function (name) {
      if (response[name]) fields[name] = text(response[name]);
    });
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response: fields, clientExtensionResults: {} });
  }

  /* The page itself goes on with the device's answer, as with any other form. */
  function send(path, fields) {
    var form = document.createElement("form");
    form.method = "post";
    form.action = path;
    form.hidden = true;
    Object.keys(fields).forEach(function (name) {
      var input = document.createElement("input");
      input.type = "hidden";
      input.name = name;
      input.value = fields[name];
      form.appendChild(input);
    });
    document.body.appendChild(form);
    form.submit();
  }

  function logIn(box) {
    var fields = { csrf: box.dataset.csrf, next: box.dataset.next };
    if (box.dataset.second) fields.second = "yes";
    return post(box.dataset.options, fields).then(function (options) {
      options.challenge = bytes(options.challenge);
      options.allowCredentials = known(options.allowCredentials);
      return navigator.credentials.get({ publicKey: options });
    }).then(function (credential) {
      send(box.dataset.page, Object.assign({ credential: written(credential) }, fields));
    });
  }

  function add(box) {
    var fields = { csrf: box.dataset.csrf };
    box.querySelectorAll("input").forEach(function (input) { fields[input.name] = input.value; });
    return post(box.dataset.options, fields).then(function (options) {
      options.challenge = bytes(options.challenge);
      options.user.id = bytes(options.user.id);
      options.excludeCredentials = known(options.excludeCredentials);
      return navigator.credentials.create({ publicKey: options });
    }).then(function (credential) {
      send(box.dataset.page, { csrf: fields.csrf, action: "add_passkey", name: fields.name, credential: written(credential) });
    });
  }

  function setUp(box, work) {
    var button = box.querySelector("button");
    var problem = box.querySelector(".problem");
    var label = button.textContent;
    box.hidden = false;
    button.addEventListener("click", function () {
      problem.hidden = true;
      button.disabled = true;
      button.textContent = box.dataset.busy;
      work(box).catch(function () {
        problem.textContent = box.dataset.failed;
        problem.hidden = false;
        button.disabled = false;
        button.textContent = label;
      });
    });
  }

  function start() {
    document.querySelectorAll("[data-passkey-login]").forEach(function (box) { setUp(box, logIn); });
    document.querySelectorAll("[data-passkey-add]").forEach(function (box) { setUp(box, add); });
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
