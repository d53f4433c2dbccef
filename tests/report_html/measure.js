// Measures the page in the frame, and leaves what it finds as JSON in the document.
"use strict";
addEventListener("load", () => {
  const view = document.querySelector("iframe").contentWindow;
  const page = view.document;
  const all = (selector) => [...page.querySelectorAll(selector)];
  const name = (element) => `${element.localName}.${element.getAttribute("class") ?? ""} ${(element.textContent ?? "").trim().slice(0, 60)}`;

  // Colours: sRGB, 0 to 255, with alpha.
  const colour = (text) => {
    const parts = text.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
    return parts.length < 4 ? [...parts, 1] : parts;
  };
  const over = (above, below) => [0, 1, 2].map((n) => above[n] * above[3] + below[n] * (1 - above[3])).concat(1);
  const luminance = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  // WCAG 2.2, "contrast ratio".
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(colour(view.getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, above) => over(above, below), [255, 255, 255, 1]);
  };

  const contrasts = [];
  let texts = 0;
  const check = (element, ink, ground) => {
    texts += 1;
    const ratio = contrast(over(ink, ground), ground);
    if (!(ratio >= 4.5)) contrasts.push(`${ratio.toFixed(2)} ${name(element)}`);
  };
  const shade = page.querySelector("svg rect.fault");
  for (const element of all("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const style = view.getComputedStyle(element);
    if (!own || style.display === "none" || element.closest("title, desc, style, defs")) continue;
    const ground = behind(element);
    if (element.namespaceURI.endsWith("svg")) {
      check(element, colour(style.fill), ground);
      // Words may stand on a shade.
      if (shade) check(element, colour(style.fill), over(colour(view.getComputedStyle(shade).fill), ground));
    } else {
      check(element, colour(style.color), ground);
    }
  }

  const words = (element) => (element.getAttribute("aria-labelledby") ?? "").split(" ")
    .map((id) => page.getElementById(id)?.textContent.trim());
  const pictures = all("svg").filter((svg) => svg.getAttribute("aria-hidden") !== "true")
    .filter((svg) => svg.getAttribute("role") !== "img" || words(svg).length < 2 || words(svg).some((text) => !text))
    .map(name);

  const scrolls = (element) => ["auto", "scroll"].includes(view.getComputedStyle(element).overflowX)
    && element.scrollWidth > element.clientWidth;
  const scrolling = all("body *").filter(scrolls);
  const regions = [...new Set([...scrolling, ...all(".scroll")])]
    .filter((element) => element.tabIndex !== 0 || !element.getAttribute("role") || !element.getAttribute("aria-label"))
    .map(name);

  const structure = [];
  for (const [selector, count] of [["main", 1], ["body > header", 1], ["body > footer", 1], ["nav[aria-label]", 1], ["body > a.skip", 1], ["script", 0], ["[style]", 0]]) {
    if (all(selector).length !== count) structure.push(`${all(selector).length} of ${selector}`);
  }
  if (!page.documentElement.lang || !page.title) structure.push("no language or no title");
  for (const section of all("section, article")) if (words(section).some((text) => !text)) structure.push(`no name: ${name(section)}`);
  for (const cell of all("th")) if (!cell.getAttribute("scope")) structure.push(`no scope: ${name(cell)}`);
  view.focus();
  for (const element of [page.querySelector("main a"), page.querySelector(".scroll"), page.querySelector("summary")]) {
    element.focus({ focusVisible: true });
    const style = view.getComputedStyle(element);
    if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) structure.push(`no visible focus: ${name(element)}`);
  }
  page.querySelector("a.skip").focus();
  if (page.querySelector("a.skip").getBoundingClientRect().left < 0) structure.push("the skip link stays away when it has the focus");

  document.getElementById("found").textContent = JSON.stringify({
    dark: view.matchMedia("(prefers-color-scheme: dark)").matches,
    width: view.innerWidth,
    beyond: page.documentElement.scrollWidth - page.documentElement.clientWidth,
    resources: view.performance.getEntriesByType("resource").map((entry) => entry.name),
    links: all("a").map((link) => link.getAttribute("href"))
      .filter((href) => !href?.startsWith("#") || !page.getElementById(decodeURIComponent(href.slice(1)))),
    pictures,
    headings: all("h1, h2, h3, h4, h5, h6").map((heading) => Number(heading.localName[1])),
    contrasts: contrasts.slice(0, 20),
    texts,
    regions,
    scrolling: scrolling.length,
    structure: structure.slice(0, 20),
  });
});
