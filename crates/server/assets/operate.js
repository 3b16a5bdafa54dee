// Operate's own script. Pages are complete without it: it keeps them current, offers keys, and shows what needs a script.
//
// Three rules. What one is about to press never moves: states change in place, new rows wait behind a button. No key changes
// anything by itself. Nothing is put into the page as text that could be markup: parts of pages are fetched whole from the
// server, which escapes, and moved over as elements.
(() => {
  "use strict";

  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const body = document.body;
  const group = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const say = (words) => { const said = $("#said"); if (said) said.textContent = words; };

  // --- what only works with a script is shown only with one -------------------------------------------------------------------

  function reveal(root) {
    $$(".copy, .theme, .palette-open, .help-open, #verify", root).forEach((one) => { one.hidden = false; });
    // the server does not know by which name one reaches it
    $$("[data-link]", root).forEach((one) => { if (one.textContent.startsWith("/")) one.textContent = location.origin + one.textContent; });
    if (body.dataset.stream) $$("#hold", root).forEach((one) => { one.hidden = false; });
  }

  // --- theme: kept in the browser, applied by theme.js before anything is drawn -----------------------------------------------

  function theme() {
    let chosen = "system";
    try { chosen = localStorage.getItem("aedile-theme") || "system"; } catch { /* nothing is stored: the system's */ }
    $$(".theme input").forEach((input, index) => {
      // two choices on one page are two groups, or one would take the other's mark away
      input.name = `theme-${Math.floor(index / 3)}`;
      input.checked = input.value === chosen;
    });
  }

  function choose(value) {
    try {
      if (value === "system") localStorage.removeItem("aedile-theme"); else localStorage.setItem("aedile-theme", value);
    } catch { /* it holds for this page at least */ }
    if (value === "system") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = value;
    theme();
  }

  // --- ages and what is left of the time --------------------------------------------------------------------------------------

  function rough(seconds) {
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86400)} d`;
  }

  function two(seconds) {
    if (seconds <= 0) return "no time";
    if (seconds < 60) return `${seconds} s`;
    const [large, unit, small, of] = seconds < 3600 ? [Math.floor(seconds / 60), "min", seconds % 60, "s"]
      : seconds < 86400 ? [Math.floor(seconds / 3600), "h", Math.floor(seconds / 60) % 60, "min"]
        : [Math.floor(seconds / 86400), "d", Math.floor(seconds / 3600) % 24, "h"];
    return small ? `${large} ${unit} ${small} ${of}` : `${large} ${unit}`;
  }

  function tell(now = Date.now()) {
    $$("time[data-ago]").forEach((time) => {
      const seconds = Math.trunc((now - Date.parse(time.dateTime)) / 1000);
      const words = seconds === 0 ? "just now" : seconds < 0 ? `in ${rough(-seconds)}` : `${rough(seconds)} ago`;
      if (time.textContent !== words) time.textContent = words;
    });
    $$("time[data-left]").forEach((time) => {
      const words = two(Math.floor((Date.parse(time.dateTime) - now) / 1000));
      if (time.textContent !== words) time.textContent = words;
    });
  }

  // --- live: the server tells what is recorded, the page looks again, and parts that changed are put in place ------------------

  const PAINT_MS = 500;         // at most two paints a second
  const POLL_MS = 10000;        // where the stream fails
  const TRIES = 4;              // failures of the stream in a row before it is given up for polling
  const live = {
    source: null, held: false, due: 0, timer: 0, poll: 0, failures: 0, cost: 0, fresh: null, position: Number(body.dataset.position || 0),
  };

  function connection(state, words) {
    const shown = $("#connection");
    if (!shown || shown.dataset.state === state) return;
    const before = shown.dataset.state;
    shown.dataset.state = state;
    shown.textContent = words;
    const lost = $("#lost");
    if (lost) lost.textContent = state === "lost" ? "The connection is lost. What you see may be old." : "";
    if (before === "lost" && state === "live") say("The connection is back.");
  }

  function wanted(kind, record) {
    return (body.dataset.topics || "").split(" ").some((topic) =>
      topic.startsWith("@") ? record.stream === topic.slice(1) : kind.startsWith(topic));
  }

  function reached(position) {
    if (!(position > live.position)) return;
    live.position = position;
    const shown = $("#position");
    if (shown) shown.textContent = group(position);
    const time = $(".foot time");
    if (time) time.dateTime = new Date().toISOString();
  }

  function listen() {
    if (!body.dataset.stream || live.held || !window.EventSource) return poll();
    const source = new EventSource(`${body.dataset.stream}?after=${live.position}`);
    live.source = source;
    connection("connecting", "connecting");
    source.onopen = () => { live.failures = 0; connection("live", "live"); clearTimeout(live.poll); };
    const heard = (event) => {
      reached(Number(event.lastEventId));
      let record = {};
      try { record = JSON.parse(event.data); } catch { /* one that cannot be read is reason enough to look again */ }
      if (wanted(event.type, record)) look();
    };
    (body.dataset.kinds || "").split(" ").forEach((kind) => source.addEventListener(kind, heard));
    source.addEventListener("message", heard);
    source.onerror = () => {
      live.failures += 1;
      // the browser tries again by itself until the server says no
      if (source.readyState === EventSource.CLOSED || live.failures >= TRIES) {
        source.close();
        live.source = null;
        poll();
      } else {
        connection("connecting", "reconnecting");
      }
    };
  }

  // Without a stream the page looks every ten seconds, or less often where looking takes long; then tries the stream again.
  function poll() {
    if (!body.dataset.stream || live.held) return;
    const wait = Math.max(POLL_MS, live.cost * 10);
    clearTimeout(live.poll);
    live.poll = setTimeout(async () => {
      const found = await refresh();
      if (live.held) return;
      if (found) { live.failures = 0; listen(); } else { poll(); }
    }, wait);
    if ($("#connection")?.dataset.state !== "lost") connection("polling", "looking every 10 s");
  }

  // Looks at once, then not again before the next paint is due.
  function look() {
    if (live.held || live.timer) return;
    const wait = Math.max(0, live.due - performance.now());
    live.timer = setTimeout(async () => {
      live.timer = 0;
      await refresh();
    }, wait);
  }

  async function refresh() {
    const began = performance.now();
    live.due = began + PAINT_MS;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, credentials: "same-origin", redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (live.held) return true;
      merge(page);
      if (!live.source) connection("polling", "looking every 10 s");
      return true;
    } catch {
      if (!live.source) connection("lost", "connection lost");
      return false;
    } finally {
      live.cost = performance.now() - began;
      // where looking takes long, it is done less often
      live.due = Math.max(live.due, began + live.cost * 10);
    }
  }

  // Whether somebody is doing something in it: then it stays as it is.
  const busy = (part) => part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select, button, summary")
    || $$("details.action[open]", part).some((one) => one.contains(document.activeElement) || $$("input, textarea", one).some((field) => field.value && field.type !== "hidden" && field.type !== "radio"));

  function merge(page) {
    reached(Number(page.body.dataset.position));
    live.fresh = page;
    let changed = 0;
    for (const part of $$("[data-key]")) {
      if (!part.isConnected || part.parentElement.closest("[data-key]")) continue;
      const next = page.querySelector(`[data-key="${CSS.escape(part.dataset.key)}"]`);
      if (!next) { if (part.dataset.row) part.classList.add("gone"); continue; }
      part.classList.remove("gone");
      if (same(part, next) || busy(part)) continue;
      put(part, next);
      changed += 1;
      if (next.matches(".sentence, .state")) say(next.textContent.trim().replace(/\s+/g, " "));
    }
    // what appears beside known things, as the count of approvals in the rail
    for (const next of $$(".rail a", page)) {
      const own = $(`.rail a[data-go="${next.dataset.go}"]`);
      if (own && $(".count", next) && !$(".count", own)) own.append(document.importNode($(".count", next), true));
      if (own && !$(".count", next)) $(".count", own)?.remove();
    }
    news(page);
    if (changed) tell();
    if (shape(document) !== shape(page)) reshape();
  }

  // Which parts a page has. Where one comes or goes, nothing is put in place: it would push away what is below it.
  const shape = (root) => $$("main h2[id], main .empty", root).filter((one) => !one.closest("#list")).map((one) => one.id || "empty").join(" ");

  function reshape() {
    const button = $("#news");
    if (button && !$("#list")) {
      $("span", button).textContent = "Show what is new";
      button.hidden = false;
    } else if (!button && !$("details.action[open] form") && !document.activeElement.matches("input, textarea, select")) {
      location.reload();
    }
  }

  // Ages differ in each answer; they are no change.
  function plainly(part) {
    const copy = part.cloneNode(true);
    $$("time", copy).concat(copy.matches("time") ? [copy] : []).forEach((time) => { time.textContent = ""; });
    $$("[hidden]", copy).forEach((one) => one.removeAttribute("hidden"));
    $$("details[id]", copy).concat(copy.matches("details[id]") ? [copy] : []).forEach((one) => one.removeAttribute("open"));
    copy.classList.remove("current-row", "flash", "gone");
    if (!copy.className) copy.removeAttribute("class");
    return copy.outerHTML;
  }
  const same = (part, next) => plainly(part) === plainly(next);

  function put(part, next) {
    const open = new Map($$("details[id]", part).concat(part.matches("details[id]") ? [part] : []).map((one) => [one.id, one.open]));
    const marked = part.classList.contains("current-row");
    const copy = document.importNode(next, true);
    $$("details[id]", copy).concat(copy.matches("details[id]") ? [copy] : []).forEach((one) => { if (open.has(one.id)) one.open = open.get(one.id); });
    if (marked) copy.classList.add("current-row");
    reveal(copy);
    part.replaceWith(copy);
    copy.classList.add("flash");
  }

  // New rows are counted, not put in: what somebody is about to press must not move.
  function news(page) {
    const button = $("#news");
    let count = 0;
    for (const list of $$("[data-list]")) {
      const next = page.querySelector(`[data-list="${list.dataset.list}"]`);
      if (!next) continue;
      const known = new Set($$(":scope > [data-row]", list).map((row) => row.dataset.row));
      const added = $$(":scope > [data-row]", next).filter((row) => !known.has(row.dataset.row));
      if (!added.length) continue;
      // lists without a button are short and below: the overview's. Nothing is being pressed there unless one points at it.
      if (button && list.closest("#list")) count += added.length;
      else if (!list.matches(":hover") && !list.contains(document.activeElement)) put(list, next);
    }
    const first = $("#list > .empty");
    if (button && first && $("#list [data-row]", page)) count += $$("#list [data-row]", page).length;
    if (!button || !$("#list")) return;
    const words = count ? `${count} new` : "";
    if ($("span", button).textContent !== words) {
      $("span", button).textContent = words;
      button.hidden = !count;
      if (count) say(`${count} new. Press the button above the list to show them.`);
    }
  }

  function show() {
    const next = live.fresh && $("#list", live.fresh);
    if (!next || !$("#list")) return location.reload();
    $("#news").hidden = true;
    $("#news span").textContent = "";
    $("#list").replaceWith(document.importNode(next, true));
    reveal(document);
    tell();
    window.htmx?.process($("#list"));
    const row = $("#list [data-row] a");
    if (row) row.focus({ preventScroll: true });
  }

  function hold(button) {
    live.held = !live.held;
    button.setAttribute("aria-pressed", String(live.held));
    button.textContent = live.held ? "Resume updates" : "Pause updates";
    clearTimeout(live.poll);
    if (live.held) {
      live.source?.close();
      live.source = null;
      connection("held", "paused");
    } else {
      look();
      listen();
    }
  }

  // --- keys -------------------------------------------------------------------------------------------------------------------

  let going = 0;

  function rows() { return $$("main [data-row]").filter((row) => row.offsetParent !== null || row.getClientRects().length); }

  function step(by) {
    const all = rows();
    if (!all.length) return;
    const now = all.findIndex((row) => row.classList.contains("current-row"));
    const next = all[Math.min(Math.max(now + by, 0), all.length - 1)];
    all.forEach((row) => row.classList.toggle("current-row", row === next));
    const target = $("a.open, a.title, summary, a", next);
    (target || next).focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  function keys(event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      if ($("#palette")) { event.preventDefault(); palette(); }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, textarea, select, dialog[open]")) return;
    if (going) {
      clearTimeout(going);
      going = 0;
      const link = $(`.rail a[data-go="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    const act = {
      "/": () => $("#filter")?.focus(),
      "?": () => $("#help")?.showModal(),
      j: () => step(1),
      k: () => step(-1),
      g: () => { going = setTimeout(() => { going = 0; }, 1500); },
      Escape: () => $$("details.menu[open]").forEach((menu) => { menu.open = false; $("summary", menu).focus(); }),
    }[event.key];
    if (!act) return;
    if (event.key !== "Escape") event.preventDefault();
    act();
  }

  // --- palette: pages, what is on this page, and any run or approval by its id -------------------------------------------------

  function entries() {
    const seen = new Set();
    const links = [...$$(".rail a"), ...$$(".tabs a"), ...$$(".switch .drop a"), ...$$(".user .drop a"), ...$$("main a.open, main a.title, main .feed a")];
    const found = [];
    for (const link of links) {
      const href = link.getAttribute("href");
      const named = link.cloneNode(true);
      $$(".count, .note, .kind", named).forEach((one) => one.remove());
      const words = named.textContent.trim().replace(/\s+/g, " ");
      if (!href || !words || seen.has(href)) continue;
      seen.add(href);
      found.push({ href, words, where: link.closest(".rail") ? "page" : link.closest(".switch") ? "environment" : link.closest("main") ? "on this page" : "" });
    }
    return found;
  }

  let all = [];
  let asked = 0;

  function palette() {
    const dialog = $("#palette");
    if (dialog.open) return dialog.close();
    all = entries();
    $("#palette-input").value = "";
    dialog.showModal();
    fill();
    recent();
  }

  // Recent runs come from the same page that lists them.
  async function recent() {
    const link = $('.rail a[data-go="r"]');
    if (!link) return;
    const turn = ++asked;
    try {
      const answer = await fetch(link.href, { credentials: "same-origin" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (turn !== asked) return;
      const known = new Set(all.map((one) => one.href));
      for (const row of $$("tr[data-row]", page)) {
        const href = $("a.open", row)?.getAttribute("href");
        if (!href || known.has(href)) continue;
        all.push({ href, words: `${$("a.open", row).textContent.trim()} ${row.dataset.row}`, where: "run" });
      }
      fill();
    } catch { /* the palette offers what it has */ }
  }

  function fill() {
    const typed = $("#palette-input").value.trim().toLowerCase();
    const parts = typed.split(/\s+/).filter(Boolean);
    let found = all.filter((one) => parts.every((part) => `${one.words} ${one.href}`.toLowerCase().includes(part)));
    const base = $('.rail a[data-go="r"]')?.getAttribute("href");
    const id = /^(run|apr)_[0-9a-z]{26}$/.exec(typed);
    if (base && id) found = [{ href: id[1] === "run" ? `${base}/${typed}` : base.replace(/runs$/, `approvals/${typed}`), words: typed, where: "open" }, ...found];
    else if (base && /^run_[0-9a-z]+$/.test(typed)) found = [...found, { href: `${base}?id=${typed}`, words: `Runs that begin with ${typed}`, where: "search" }];
    const list = $("#palette-list");
    list.replaceChildren(...found.slice(0, 12).map((one, index) => {
      const item = document.createElement("li");
      item.id = `palette-${index}`;
      item.role = "option";
      item.dataset.href = one.href;
      const words = document.createElement("span");
      words.textContent = one.words.slice(0, 90);
      const where = document.createElement("span");
      where.className = "note";
      where.textContent = one.where;
      item.append(words, where);
      return item;
    }));
    pick(0);
  }

  function pick(index) {
    const items = $$("#palette-list li");
    const at = items.length ? (index + items.length) % items.length : -1;
    items.forEach((item, place) => item.setAttribute("aria-selected", String(place === at)));
    const input = $("#palette-input");
    if (at < 0) { input.removeAttribute("aria-activedescendant"); return; }
    input.setAttribute("aria-activedescendant", items[at].id);
    items[at].scrollIntoView({ block: "nearest" });
  }

  function paletteKeys(event) {
    const now = $$("#palette-list li").findIndex((item) => item.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); pick(now + (event.key === "ArrowDown" ? 1 : -1)); }
    if (event.key === "Enter") {
      event.preventDefault();
      const href = $('#palette-list [aria-selected="true"]')?.dataset.href;
      if (href) location.assign(href);
    }
  }

  // --- one place hears everything, so that parts that are put in later are heard, too --------------------------------------------

  document.addEventListener("click", (event) => {
    const target = event.target;
    const copy = target.closest(".copy");
    if (copy) {
      const text = $("[data-copy]", copy.parentElement)?.textContent || "";
      navigator.clipboard?.writeText(text).then(() => {
        const words = $("span", copy);
        words.textContent = "Copied";
        say("Copied.");
        setTimeout(() => { words.textContent = "Copy"; }, 1500);
      }, () => say("The browser does not let it be copied."));
    }
    if (target.closest("#news")) show();
    if (target.closest("#hold")) hold(target.closest("#hold"));
    if (target.closest(".help-open")) $("#help").showModal();
    if (target.closest(".palette-open")) palette();
    const item = target.closest("#palette-list li");
    if (item) location.assign(item.dataset.href);
    if (target.matches("dialog")) target.close();
    $$("details.menu[open]").forEach((menu) => { if (!menu.contains(target)) menu.open = false; });
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches(".theme input")) choose(event.target.value);
  });
  document.addEventListener("keydown", keys);
  document.addEventListener("htmx:afterSwap", () => { reveal(document); tell(); });
  $("#palette-input")?.addEventListener("input", fill);
  $("#palette-input")?.addEventListener("keydown", paletteKeys);

  // A page that nobody sees listens to nothing: there may be a hundred of them.
  document.addEventListener("visibilitychange", () => {
    if (!body.dataset.stream || live.held) return;
    if (document.hidden) {
      live.source?.close();
      live.source = null;
      clearTimeout(live.poll);
    } else if (!live.source) {
      look();
      listen();
    }
  });
  addEventListener("pagehide", () => live.source?.close());
  // A step that an address names is opened.
  const named = () => {
    const one = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (one instanceof HTMLDetailsElement) one.open = true;
  };
  addEventListener("hashchange", named);

  // The button at the thumb leads to the decision, and goes once that is in sight.
  const thumb = $(".thumb");
  if (thumb && $("#decide") && window.IntersectionObserver) {
    new IntersectionObserver(([one]) => thumb.classList.toggle("seen", one.isIntersecting)).observe($("#decide"));
  }

  reveal(document);
  theme();
  named();
  tell();
  setInterval(() => tell(), 1000);
  listen();
})();
