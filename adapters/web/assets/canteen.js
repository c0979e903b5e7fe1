"use strict";
// With this script the chat sends without a reload, what arrives later is shown,
// and the search for an entry looks while somebody types. All of it takes what it
// shows from the pages that work without it.

const byId = (id) => document.getElementById(id);
const parse = (html) => new DOMParser().parseFromString(html, "text/html");

// A part that is new is added, one whose version differs takes the place of the
// old one, all else stays as it is: nothing moves under a finger or a screen
// reader's cursor.
function merge(page) {
  for (const theirs of page.querySelectorAll("[data-part]")) {
    const old = byId(theirs.id);
    const part = document.importNode(theirs, true);
    if (!old) {
      byId(theirs.parentElement.id)?.append(part);
    } else if (old.dataset.part !== part.dataset.part) {
      const focus = old.contains(document.activeElement) && document.activeElement;
      old.replaceWith(part);
      if (focus) ((focus.id && byId(focus.id)) || part).focus();
    }
  }
  for (const old of document.querySelectorAll("[data-kept]")) {
    if (!page.getElementById(old.id)) old.remove();
  }
  const count = byId("count"); // said aloud whenever it is changed
  const now = page.getElementById("count")?.textContent;
  if (count && now && count.textContent !== now) count.textContent = now;
}

// Whether anything is new is asked every few seconds, while somebody can see it.
const live = document.querySelector("[data-live]");
if (live) {
  let version = live.dataset.version;
  let busy = false;
  const look = async () => {
    if (document.hidden || busy) return;
    busy = true;
    try {
      const r = await fetch(live.dataset.at, { headers: { "If-None-Match": version } });
      if (r.ok) {
        version = r.headers.get("ETag");
        merge(parse(await r.text()));
      }
    } catch {
      // The next look may reach it.
    }
    busy = false;
  };
  setInterval(look, Number(live.dataset.live));
  document.addEventListener("visibilitychange", look);
}

const chat = byId("chat");
if (chat) {
  let sending = false;
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    event.preventDefault();
    if (sending) return;
    sending = true;
    const asking = form.id === "ask";
    const text = byId("text").value.trim();
    try {
      const r = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      const page = parse(await r.text());
      if (r.status < 500) merge(page);
      byId("problem").replaceChildren(...(page.getElementById("problem")?.childNodes ?? []));
      byId("notice").replaceChildren(...(page.getElementById("notice")?.childNodes ?? []));
      // What was typed is sent: the box is the response's, unless somebody types on.
      // After a press an empty box is too: what was wrong with it is over.
      const box = page.querySelector("#ask .nhsuk-form-group");
      if (box && (asking || text === "") && byId("text").value.trim() === text) {
        document.querySelector("#ask .nhsuk-form-group").replaceWith(box);
        prepare();
        if (asking) byId("text").focus({ preventScroll: true });
      }
      const key = page.querySelector("#ask [name=key]");
      if (key) document.querySelectorAll("[name=key]").forEach((k) => (k.value = key.value));
      const summary = document.querySelector("#problem > *");
      if (summary) {
        summary.tabIndex = -1;
        summary.focus();
      } else if (asking) {
        [...document.querySelectorAll(".canteen-mine")].at(-1)?.scrollIntoView({ block: "start" });
      }
    } catch {
      byId("notice").textContent = chat.dataset.unsent;
    }
    sending = false;
  });
}

// Enter sends, as people are used to in a chat; the hint says so.
function prepare() {
  if (!chat) return;
  document.querySelectorAll("[data-script]").forEach((x) => (x.hidden = false));
  byId("text").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    byId("ask").requestSubmit();
  });
}
prepare();

const search = document.querySelector("[data-search]");
if (search) {
  let wait;
  search.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(async () => {
      const r = await fetch(search.action + "?" + new URLSearchParams(new FormData(search)));
      if (!r.ok) return;
      const found = parse(await r.text()).getElementById("found");
      byId("found").replaceWith(found);
      const n = found.querySelectorAll("input").length;
      byId("found-status").textContent = n === 1 ? "1 entry" : n + " entries";
    }, 200);
  });
}

document.querySelector(".nhsuk-error-summary")?.focus();
