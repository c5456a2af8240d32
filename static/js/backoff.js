// Full jitter: any time between nothing and the ceiling, which doubles with each failure.
export const BASE_MS = 500;
export const CEILING_MS = 20_000;

export function delayMs(failures, chance = Math.random()) {
  return Math.floor(chance * Math.min(CEILING_MS, BASE_MS * 2 ** Math.min(failures, 16)));
}
