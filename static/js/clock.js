// World time on the page: the phase row says what it was when it came, this counts on.
import { locale, t } from "./phrases.js";

const PHASES = {
  pre_open: "Before the opening",
  auction: "Auction",
  auction_locked: "Auction, no cancelling",
  continuous: "Trading",
  break: "Break",
  after_hours_quiet: "Orders at the close",
  after_hours: "Trading at the close",
  closed: "Closed",
  paused: "Paused",
};
const NEXT = {
  pre_open: "pre-opening in {time}",
  auction: "auction in {time}",
  auction_locked: "auction locks in {time}",
  continuous: "opens in {time}",
  break: "break in {time}",
  after_hours_quiet: "orders at the close in {time}",
  after_hours: "trading at the close in {time}",
  closed: "closes in {time}",
};
const DAY_MS = 86_400_000;

export const phaseName = (phase) => t(PHASES[phase.paused ? "paused" : phase.phase] ?? phase.phase);

// World time now, in ms, when `phase` arrived at wall time `at`.
export function worldNow(phase, at, wall = Date.now()) {
  const then = Date.parse(phase.now);
  return phase.paused ? then : then + (wall - at) * (phase.speed || 1);
}

// 44:24, 2:05:11, "3 days": how long until the next change, in world time.
export function countdown(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds >= 172_800) return t("{n} days", { n: Math.floor(seconds / 86_400) });
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${two(minutes)}:${two(seconds % 60)}`;
}

export function nextWords(phase, nowMs) {
  if (!phase.next_change || phase.next_phase === phase.phase) return "";
  const words = NEXT[phase.next_phase];
  return words ? t(words, { time: countdown(Date.parse(phase.next_change) - nowMs) }) : "";
}

const formats = new Map();

function format(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(locale, { timeZone: zone, hourCycle: "h23", ...options }));
  return formats.get(key);
}

export const clockTime = (when, zone) => format(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(when);
export const hourMinute = (when, zone) => format(zone, { hour: "2-digit", minute: "2-digit" }).format(when);
export const dayName = (when, zone) => format(zone, { weekday: "short", day: "numeric" }).format(when);
export const dateOf = (when, zone) => format(zone, { day: "numeric", month: "short" }).format(when);

// Milliseconds to add to UTC to get the zone's wall clock.
export function zoneShift(when, zone) {
  const parts = format(zone, { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const at = Object.fromEntries(new Map(parts.formatToParts(when).map((part) => [part.type, Number(part.value)])));
  return Date.UTC(at.year, at.month - 1, at.day, at.hour, at.minute, at.second) - Math.floor(when / 1000) * 1000;
}

// How much of the market's local day has passed: 0 to 1.
export function shareOfDay(nowMs, zone) {
  const local = nowMs + zoneShift(nowMs, zone);
  return (((local % DAY_MS) + DAY_MS) % DAY_MS) / DAY_MS;
}
