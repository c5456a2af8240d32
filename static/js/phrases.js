// The page's words in the player's language. The key is the English sentence.
const found = globalThis.document?.getElementById("phrases");
const known = found ? JSON.parse(found.textContent) : {};

export const has = (sentence) => sentence in known;
export const locale = globalThis.document?.documentElement.lang || "en";

// `t("Bought {n}", {n: "300"})`; a sentence that a language lacks is told to the console.
export function t(sentence, facts = {}) {
  if (locale !== "en" && sentence && !(sentence in known)) console.debug(`untranslated: ${sentence}`);
  return (known[sentence] ?? sentence).replace(/\{(\w+)\}/g, (whole, name) => (name in facts ? facts[name] : whole));
}
