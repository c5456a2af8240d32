// Money and quantities are whole numbers (BigInt) with an exponent, or the decimal strings of the
// wire. A JavaScript number never holds money; charts alone may turn a price into one.
import { locale } from "./phrases.js";

const MINUS = "\u2212";

// The whole number of a decimal string: parse("42.18", 2) === 4218n. Surplus zeros are allowed,
// surplus digits are not. Throws RangeError for anything else.
export function parse(text, exponent) {
  const match = /^([-+]?)(\d+)(?:\.(\d*))?$/.exec(String(text).trim());
  if (!match) throw new RangeError(`not a decimal number: ${text}`);
  const [, sign, whole, rest = ""] = match;
  const surplus = rest.slice(exponent);
  if (/[^0]/.test(surplus)) throw new RangeError(`more than ${exponent} decimals: ${text}`);
  const value = BigInt(whole + rest.slice(0, exponent).padEnd(exponent, "0"));
  return sign === "-" ? -value : value;
}

// As parse, but null when the text is no such number.
export function read(text, exponent) {
  try {
    return parse(text, exponent);
  } catch {
    return null;
  }
}

// The decimal string of a whole number: show(4218n, 2) === "42.18".
export function show(scaled, exponent) {
  const negative = scaled < 0n;
  const digits = String(negative ? -scaled : scaled).padStart(exponent + 1, "0");
  const cut = digits.length - exponent;
  return (negative ? "-" : "") + digits.slice(0, cut) + (exponent ? `.${digits.slice(cut)}` : "");
}

// Show for people: thousands separated, a true minus sign. null and undefined are an empty cell.
export function grouped(decimal) {
  if (decimal === null || decimal === undefined || decimal === "") return "";
  const text = String(decimal);
  const negative = text.startsWith("-");
  const [whole, rest] = text.replace(/^[-+]/, "").split(".");
  const separated = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return (negative ? MINUS : "") + separated + (rest === undefined ? "" : `.${rest}`);
}

// As grouped, with a sign in front of what is not zero.
export function signed(decimal) {
  const text = grouped(decimal);
  if (text === "" || text.startsWith(MINUS) || !/[1-9]/.test(text)) return text.replace(MINUS, /[1-9]/.test(text) ? MINUS : "");
  return `+${text}`;
}

export const amount = (scaled, exponent) => grouped(show(scaled, exponent));
export const change = (scaled, exponent) => signed(show(scaled, exponent));

// -1, 0 or 1 of a BigInt or a decimal string.
export function direction(value) {
  if (typeof value === "bigint") return value > 0n ? 1 : value < 0n ? -1 : 0;
  const text = String(value ?? "0");
  if (!/[1-9]/.test(text)) return 0;
  return text.startsWith("-") ? -1 : 1;
}

// numerator / denominator in percent, two decimals, halves away from zero: "1.47", "-0.50".
export function percent(numerator, denominator) {
  if (!denominator) return null;
  const negative = numerator < 0n !== denominator < 0n;
  const top = (numerator < 0n ? -numerator : numerator) * 20000n;
  const base = denominator < 0n ? -denominator : denominator;
  const hundredths = (top + base) / (2n * base);
  return show(negative ? -hundredths : hundredths, 2);
}

// numerator / 10**shift towards minus infinity: how the books round a value.
export function rescaleDown(value, shift) {
  if (shift <= 0) return value * 10n ** BigInt(-shift);
  const base = 10n ** BigInt(shift);
  const quotient = value / base;
  return value % base < 0n ? quotient - 1n : quotient;
}

// 18421700 → "18.4 M", Chinese "1,842 万": for figures whose size is meant, not their last digit.
export function rough(decimal, language = locale) {
  const whole = String(decimal ?? "").split(".")[0];
  if (!whole || whole.startsWith("-")) return grouped(decimal);
  if (language.startsWith("zh")) {
    if (whole.length > 8) return `${grouped(show(BigInt(whole) / 10n ** 7n, 1))} 亿`;
    return whole.length > 6 ? `${grouped(String(BigInt(whole) / 10n ** 4n))} 万` : grouped(whole);
  }
  if (whole.length > 9) return `${grouped(show(BigInt(whole) / 10n ** 8n, 1))} G`;
  if (whole.length > 6) return `${grouped(show(BigInt(whole) / 10n ** 5n, 1))} M`;
  return grouped(whole);
}
