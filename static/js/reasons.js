// Why something was refused, in the player's language. The exchange writes English, because the same
// words stand in journals and answers to programs; English pages show them as they came. Others show
// the sentence itself where their catalogue has it, and else what its code means.
import { has, locale, t } from "./phrases.js";

export const REASONS = {
  ACCOUNT_FROZEN: "The portfolio is frozen: only cancelling is possible.",
  ALREADY_TERMINAL: "The order has ended already.",
  BAD_EXPIRY: "The order would have expired already.",
  BAD_QTY_OR_LOT: "The quantity does not fit the lot.",
  BAD_TICK_SIZE: "The price does not fit the smallest step.",
  DATABASE_AWAY: "The game's books do not answer just now: try again in a moment.",
  ENGINE_RECOVERING: "The exchange is starting: nothing was done. Try again in a moment.",
  EXCEEDS_LIMIT: "This is more than one order may hold.",
  GAME_ENDED: "The game is over.",
  HALTED: "Trading in it is halted.",
  INSUFFICIENT_CASH: "Your free cash is not enough.",
  INSUFFICIENT_MARGIN: "Your margin is not enough.",
  INSUFFICIENT_SELLABLE: "So much is not yours to sell now.",
  MARKET_CLOSED: "The market takes no such order now.",
  NO_FRESH_PRICE: "There is no fresh price to trade at.",
  NOTHING_TO_REPLACE: "The change would leave the order as it is.",
  NOT_TRADABLE: "It cannot be traded today.",
  ORDERS_PAUSED: "Only cancelling is possible just now: new orders are paused.",
  OVERLOADED: "More orders are waiting than can be served: try again.",
  POSITION_INTENT: "The order does not fit the position.",
  PRICE_OUT_OF_BAND: "The price lies outside what the venue allows now.",
  QUARANTINED: "The exchange doubts its books: only cancelling is possible until an operator has looked.",
  RATE_LIMITED: "Too many requests: wait a moment.",
  SHORT_NOT_ALLOWED: "This cannot be sold short, or traded on margin, here.",
  STALE_ORDER: "It reached the exchange after its deadline and was not executed.",
  TOO_LATE_TO_CANCEL: "The order was filled before the cancel arrived.",
  UNAVAILABLE: "A part of the game is not running just now.",
  UNKNOWN_ORDER: "You have no such order.",
  UNSUPPORTED: "This kind of order does not exist here.",
  VERSION_CONFLICT: "It changed since you read it.",
};

export function reason(code, detail) {
  if (locale === "en" || has(detail)) return locale === "en" ? detail : t(detail);
  return has(REASONS[code]) ? t(REASONS[code]) : detail;
}
