// All the script there is. Pages work without it but for what is live: the server
// renders everything, and what comes over a stream is HTML to be put somewhere.
"use strict";

// <div data-stream="URL"> opens a stream of the server. An event replaces what is
// inside the element with data-slot of its name; with data-keep="N" it is put on
// top, and the oldest beyond N leave. While nobody looks, the stream is closed.
// A button with data-hold stops putting things in until it is pressed again.
function follow(root) {
  let source, held = false;
  const slots = new Map();
  for (const el of root.querySelectorAll("[data-slot]")) slots.set(el.dataset.slot, el);
  if (root.dataset.slot) slots.set(root.dataset.slot, root);
  const put = (el, html) => {
    const keep = Number(el.dataset.keep || 0);
    if (!keep) { el.innerHTML = html; return; }
    if (held) return;
    const again = /^\s*<\w+ id="([^"]+)"/.exec(html); // the stream was opened again
    if (again && document.getElementById(again[1])) return;
    el.insertAdjacentHTML("afterbegin", html);
    while (el.children.length > keep) el.lastElementChild.remove();
  };
  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(root.dataset.stream);
    source.onopen = () => { root.dataset.live = "on"; };
    source.onerror = () => { root.dataset.live = "off"; };
    for (const [name, el] of slots) {
      source.addEventListener(name, (e) => {
        put(el, e.data);
        root.dispatchEvent(new CustomEvent("parley:" + name));
      });
    }
  };
  const close = () => { if (source) { source.close(); source = undefined; root.dataset.live = "off"; } };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  const hold = root.querySelector("[data-hold]");
  if (hold) hold.addEventListener("click", () => { held = !held; hold.setAttribute("aria-pressed", String(held)); });
  open();
}

// <form data-inline> is sent without leaving the page; what went wrong is shown in
// its element with data-error.
function inline(form) {
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    const body = new URLSearchParams(new FormData(form, e.submitter));
    const wrong = form.querySelector("[data-error]");
    if (wrong) wrong.textContent = "";
    try {
      const answer = await fetch(form.action, { method: "POST", body, headers: { "X-Inline": "1" } });
      if (answer.status === 204) { if (form.dataset.inline === "reset") form.reset(); return; }
      if (answer.status === 401) { location.reload(); return; }
      if (wrong) wrong.textContent = await answer.text();
    } catch (err) {
      if (wrong) wrong.textContent = String(err);
    }
  });
}

for (const el of document.querySelectorAll("[data-stream]")) follow(el);
for (const el of document.querySelectorAll("form[data-inline]")) inline(el);

// One menu of actions at a time; Escape closes it.
document.addEventListener("toggle", (e) => {
  if (!e.target.matches || !e.target.matches("details.act") || !e.target.open) return;
  for (const d of document.querySelectorAll("details.act[open]")) if (d !== e.target) d.open = false;
  const first = e.target.querySelector("input:not([type=hidden]), select, button");
  if (first) first.focus();
}, true);
document.addEventListener("keydown", (e) => {
  if (e.key === "Escape") {
    for (const d of document.querySelectorAll("details.act[open]")) { d.open = false; d.querySelector("summary").focus(); }
  }
  // "/" goes to the search of the page, as everywhere.
  if (e.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName)) {
    const search = document.querySelector("main input:not([type=hidden])");
    if (search) { e.preventDefault(); search.focus(); }
  }
});
