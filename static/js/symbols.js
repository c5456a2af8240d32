// Symbols in order: what a search finds, and how a list is rearranged. Pure.

// Symbols by how well they fit: the code's beginning, the initials of the Chinese name, a part of a name.
export function found(rows, search) {
  const starts = (row) => row.symbol.toLocaleLowerCase().startsWith(search);
  const initials = (row) => Boolean(row.initials?.includes(search));
  const named = (row) => [row.symbol, row.name, row.name_zh].some((value) => value?.toLocaleLowerCase().includes(search));
  const rank = (row) => [starts, initials, named].findIndex((fits) => fits(row));
  return rows.map((row) => [rank(row), row.symbol]).filter(([place]) => place >= 0).sort((a, b) => a[0] - b[0]).map(([, symbol]) => symbol);
}

// The symbol one place on (or back), or out where the step is 0.
export function moved(symbols, symbol, step) {
  const at = symbols.indexOf(symbol);
  const rest = symbols.filter((one) => one !== symbol);
  if (!step || at < 0) return rest;
  rest.splice(Math.max(0, Math.min(rest.length, at + step)), 0, symbol);
  return rest;
}
