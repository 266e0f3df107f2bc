"use strict";
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const all = (selector, from) => Array.from((from || document).querySelectorAll(selector));
  const status = byId("status");
  const say = (words) => { status.textContent = words; };

  /* Light and dark --------------------------------------------------------------------------- */
  const theme = byId("theme");
  const wantsDark = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : wantsDark.matches);
  const nameTheme = () => { theme.textContent = isDark() ? "Light page" : "Dark page"; };
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("social-signals-theme", root.dataset.theme); } catch (error) { /* kept for this visit only */ }
    nameTheme();
  });
  wantsDark.addEventListener("change", nameTheme);
  nameTheme();

  /* Pages ------------------------------------------------------------------------------------ */
  const title = document.title;
  const host = byId("product-host");
  /* Pages of many products wait compressed, in the order of the table. Their markup was escaped
     when it was made; a policy of its own is the only way in. */
  const packs = all("script.pack");
  const places = new Map();
  if (packs.length) {
    all("#table tbody th a").forEach((link, place) => places.set(link.hash.slice(1), place));
  }
  const trusted = window.trustedTypes
    ? window.trustedTypes.createPolicy("pages", { createHTML: (text) => text })
    : { createHTML: (text) => text };
  const opened = new Map();
  const open = async (place) => {
    const number = Math.floor(place / Number(host.dataset.pack));
    if (!opened.has(number)) {
      const bytes = Uint8Array.from(atob(packs[number].textContent), (letter) => letter.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
      const text = await new Response(stream).text();
      opened.set(number, new DOMParser().parseFromString(trusted.createHTML(text), "text/html"));
    }
    return opened.get(number);
  };
  let first = true;

  const sectionOf = async (id) => {
    const found = byId(id);
    if (found) return { page: found.closest(".page"), target: found };
    const place = places.get(id);
    if (place === undefined) return null;
    const page = (await open(place)).getElementById(id);
    if (!page) return null;
    host.replaceChildren(document.importNode(page, true));
    return { page: host.firstElementChild, target: host.firstElementChild };
  };

  const show = async () => {
    let id = "";
    try { id = decodeURIComponent(location.hash.slice(1)); } catch (error) { id = ""; }
    let found = null;
    try {
      found = (id && (await sectionOf(id))) || (await sectionOf("overview"));
    } catch (error) {
      say("This browser cannot open the page of a product; its figures stand in the table.");
      found = await sectionOf("products");
    }
    if (!found || !found.page) { if (id === "main") byId("main").focus(); return; }
    for (const page of all(".page.on")) page.classList.remove("on");
    found.page.classList.add("on");
    root.classList.add("routed");
    const here = found.page.classList.contains("product") ? "products" : found.page.id;
    for (const link of all("nav a")) {
      if (link.hash === "#" + here) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const heading = found.page.querySelector("h2");
    const name = found.page.dataset.title || (heading ? heading.textContent.trim() : "");
    document.title = found.page.id === "overview" ? title : name + " · " + title;
    if (!first) {
      const target = found.target === found.page ? heading : found.target;
      if (target) target.focus({ preventScroll: true });
      if (found.target === found.page) window.scrollTo(0, 0);
      else found.target.scrollIntoView();
    } else if (found.target !== found.page) found.target.scrollIntoView();
    first = false;
  };
  window.addEventListener("hashchange", show);

  /* The table of products -------------------------------------------------------------------- */
  const table = byId("table");
  const body = table && table.tBodies[0];
  if (body && body.rows.length) {
    const STEP = 100;
    const rows = Array.from(body.rows);
    const words = new Map(rows.map((row) => [row, (row.cells[0].textContent + " " + row.cells[2].textContent).toLowerCase()]));
    const order = new Map(rows.map((row, place) => [row, place]));
    const state = { text: "", verdict: "", column: -1, direction: 1, most: STEP };
    const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
    const more = byId("more");
    const found = byId("found");
    const numeric = (row, column) => {
      const value = row.cells[column].dataset.v;
      return value === undefined ? null : Number(value);
    };
    const isNumber = (column) => rows.some((row) => row.cells[column].dataset.v !== undefined);
    const compare = (column, direction) => {
      const byNumber = isNumber(column);
      return (one, other) => {
        let result;
        if (byNumber) {
          const a = numeric(one, column);
          const b = numeric(other, column);
          /* What is not known stands last, whichever way the others go. */
          if (a === null || b === null) result = (a === null ? 1 : 0) - (b === null ? 1 : 0);
          else result = direction * (a - b);
        } else {
          result = direction * collator.compare(one.cells[column].textContent, other.cells[column].textContent);
        }
        return result || order.get(one) - order.get(other);
      };
    };
    const draw = (announce) => {
      const text = state.text.trim().toLowerCase();
      const kept = rows.filter((row) => (!state.verdict || row.dataset.verdict === state.verdict) && (!text || words.get(row).includes(text)));
      if (state.column >= 0) kept.sort(compare(state.column, state.direction));
      const shown = kept.slice(0, state.most);
      body.replaceChildren(...shown);
      more.hidden = shown.length === kept.length;
      more.textContent = "Show all " + kept.length.toLocaleString("en");
      const count = (kept.length ? kept.length.toLocaleString("en") : "None") + " of " + rows.length.toLocaleString("en") + (rows.length === 1 ? " product" : " products");
      found.textContent = count + (more.hidden ? "" : "; the first " + shown.length + " are shown") + ".";
      if (announce) say(announce === true ? count : announce + ", " + count);
    };
    byId("tools").hidden = false;
    found.hidden = false;
    byId("tools").addEventListener("submit", (event) => event.preventDefault());
    let timer = 0;
    byId("search").addEventListener("input", (event) => {
      state.text = event.target.value;
      state.most = STEP;
      clearTimeout(timer);
      timer = setTimeout(() => draw(true), 120);
    });
    const filters = all("[data-filter]");
    const filter = (verdict) => {
      state.verdict = verdict;
      state.most = STEP;
      for (const button of filters) button.setAttribute("aria-pressed", String(button.dataset.filter === verdict));
      draw(true);
    };
    for (const button of filters) button.addEventListener("click", () => filter(button.dataset.filter));
    for (const link of all(".tiles a[data-verdict]")) {
      link.addEventListener("click", () => filter(filters.some((button) => button.dataset.filter === link.dataset.verdict) ? link.dataset.verdict : ""));
    }
    more.addEventListener("click", () => {
      const next = state.most;
      state.most = Infinity;
      draw(true);
      const row = body.rows[next];
      const link = row && row.querySelector("a");
      if (link) link.focus();
    });
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, column) => {
      const words = head.querySelector(".sort-title");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = words.textContent;
      words.replaceWith(button);
      button.addEventListener("click", () => {
        const startsDown = head.classList.contains("n") && head.textContent.trim() !== "q";
        if (state.column === column) state.direction = -state.direction;
        else { state.column = column; state.direction = startsDown ? -1 : 1; }
        for (const each of heads) each.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", state.direction > 0 ? "ascending" : "descending");
        draw("Sorted by " + button.textContent + (state.direction > 0 ? ", ascending" : ", descending"));
      });
    });
    draw(false);
    window.addEventListener("beforeprint", () => { state.before = state.most; state.most = Infinity; draw(false); });
    window.addEventListener("afterprint", () => { state.most = state.before || STEP; draw(false); });
  }

  show();
})();
