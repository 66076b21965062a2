// The pages work without this. With it: lists refresh themselves in place, a form is sent once, slices follow the keys.
"use strict";

// A form that is on its way is not sent again; the server would not act twice either.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    for (const button of form.querySelectorAll("button[type=submit]")) { button.setAttribute("aria-disabled", "true"); }
  });
}
// Coming back by the browser's history finds the form as it was: it may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-once]")) { delete form.dataset.sent; }
});

const liveStatus = document.querySelector("[data-live-status]");
if (liveStatus && document.querySelector("[data-live]")) {
  const EVERY_MS = 5000;
  let running = true;
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  said.className = "visually-hidden";
  const shown = document.createElement("span");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  const show = () => { button.textContent = running ? "Pause live view" : "Resume live view"; };
  button.addEventListener("click", () => { running = !running; show(); if (running) { refresh(); } });
  show();
  liveStatus.replaceChildren(shown, said, button);

  const keyOf = (node) => node.id || "";
  // Only rows that differ are replaced, each by its id, so that focus, selection and place stay where they are.
  const patch = (here, there) => {
    let changed = 0;
    const held = new Map([...here.children].map((child) => [keyOf(child), child]));
    const keyed = [...there.children].every((child) => child.id);
    if (!keyed) {
      if (here.innerHTML !== there.innerHTML) { keepFocus(() => { here.innerHTML = there.innerHTML; }); changed = 1; }
      return changed;
    }
    let before = null;
    for (const fresh of [...there.children]) {
      let node = held.get(keyOf(fresh));
      held.delete(keyOf(fresh));
      if (!node) {
        node = document.importNode(fresh, true); node.classList.add("changed"); changed += 1;
      } else if (node.innerHTML !== fresh.innerHTML) {
        const text = node.querySelector("td, a") && stateOf(node) !== stateOf(fresh);
        keepFocus(() => { node.innerHTML = fresh.innerHTML; });
        if (text) { node.classList.add("changed"); changed += 1; }
      }
      const place = before ? before.nextElementSibling : here.firstElementChild;
      if (place !== node) { keepFocus(() => here.insertBefore(node, place)); }
      before = node;
    }
    for (const gone of held.values()) { gone.remove(); changed += 1; }
    return changed;
  };
  const stateOf = (row) => [...row.querySelectorAll(".state")].map((one) => one.textContent).join("|");
  const keepFocus = (change) => {
    const id = document.activeElement && document.activeElement.id;
    change();
    if (id && (!document.activeElement || document.activeElement.id !== id)) {
      const again = document.getElementById(id);
      if (again) { again.focus({ preventScroll: true }); }
    }
  };
  const refresh = async () => {
    if (!running || document.hidden) { return; }
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html" } });
      if (answer.redirected) { location.reload(); return; }
      if (!answer.ok) { throw new Error(String(answer.status)); }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const here of document.querySelectorAll("[data-live]")) {
        const there = page.getElementById(here.id);
        if (!there) { continue; }
        const changed = patch(here, there);
        if (changed && here.dataset.liveName) {
          said.textContent = `${changed === 1 ? "One change" : `${changed} changes`} in the ${here.dataset.liveName}`;
        }
      }
      shown.textContent = `Live, ${new Date().toISOString().slice(11, 19)} UTC`;
    } catch {
      shown.textContent = "Not reached; trying again";
    }
  };
  shown.textContent = "Live";
  setInterval(refresh, EVERY_MS);
  document.addEventListener("visibilitychange", refresh);
}

// Slices: the range and the arrow keys show another picture; pictures on both sides are fetched ahead.
const viewer = document.querySelector("[data-slices]");
if (viewer) {
  const image = viewer.querySelector("img");
  const range = viewer.querySelector("input[type=range]");
  const place = viewer.querySelector("output");
  const last = Number(range.max);
  const pictures = new Map();
  const address = (index) => viewer.dataset.slices.replace("INDEX", String(index));
  const fetched = (index) => {
    if (!pictures.has(index)) {
      const found = fetch(address(index), { credentials: "same-origin" }).then((answer) => {
        if (!answer.ok) { throw new Error(String(answer.status)); }
        return answer.blob();
      }).then((blob) => URL.createObjectURL(blob));
      found.catch(() => pictures.delete(index));
      pictures.set(index, found);
      if (pictures.size > 60) {
        const [oldest, url] = pictures.entries().next().value;
        pictures.delete(oldest);
        url.then((one) => URL.revokeObjectURL(one), () => {});
      }
    }
    return pictures.get(index);
  };
  let wanted = Number(range.value);
  const show = async (index) => {
    wanted = Math.min(Math.max(index, 0), last);
    range.value = String(wanted);
    place.textContent = `${wanted + 1} of ${last + 1}`;
    const asked = wanted;
    try {
      const url = await fetched(asked);
      if (asked !== wanted) { return; }
      image.src = url;
      image.alt = viewer.dataset.alt.replace("INDEX", String(asked + 1));
      const address = new URL(location.href);
      address.searchParams.set("slice", String(asked));
      history.replaceState(null, "", address);
      for (const near of [asked + 1, asked - 1]) { if (near >= 0 && near <= last) { fetched(near); } }
    } catch { place.textContent = `${asked + 1} of ${last + 1}: not loaded`; }
  };
  range.addEventListener("input", () => show(Number(range.value)));
  viewer.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    const to = step ? wanted + step : { Home: 0, End: last }[event.key];
    if (to === undefined) { return; }
    event.preventDefault();
    show(to);
  });
  viewer.addEventListener("wheel", (event) => {
    if (!event.target.closest(".slice")) { return; }
    event.preventDefault();
    show(wanted + Math.sign(event.deltaY));
  }, { passive: false });
  for (const link of viewer.querySelectorAll("[data-step]")) {
    link.addEventListener("click", (event) => { event.preventDefault(); show(wanted + Number(link.dataset.step)); });
  }
}
