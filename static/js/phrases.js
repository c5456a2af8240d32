// The page's words in the player's language. The key is the English sentence.
const found = globalThis.document?.getElementById("phrases");
const known = found ? JSON.parse(found.textContent) : {};

export const locale = globalThis.document?.documentElement.lang || "en";

// t("Bought {n} {symbol}", {n: "300", symbol: "NLB"})
export function t(sentence, facts = {}) {
  return (known[sentence] ?? sentence).replace(/\{(\w+)\}/g, (whole, name) => (name in facts ? facts[name] : whole));
}
