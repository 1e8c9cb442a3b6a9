/** Expression for a page: the contrast (WCAG 2.2) of each visible text with what is behind it. */
export const CONTRASTS = String.raw`(() => {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const backOf = (node) => {
    const color = getComputedStyle(node).backgroundColor;
    const clear = channels(color)[3] === 0;
    return clear && node.parentElement !== null ? backOf(node.parentElement) : color;
  };
  return [...document.querySelectorAll("body *")].filter((node) =>
    node.checkVisibility() && !node.closest("script, style, noscript, .skip") &&
    [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim() !== "")
  ).map((node) => {
    const [front, back] = [getComputedStyle(node).color, backOf(node)].map(luminance);
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    return { text: node.textContent.slice(0, 40), ratio };
  });
})()`;
