export type Cell = string | number | boolean | null | undefined;

const FORMULA = /^[=+\-@\t\r]/;
const QUOTED = /[",\r\n]/;
const MARK = "\ufeff"; // so that spreadsheets read UTF-8

/** A CSV file (RFC 4180). A text that a spreadsheet would take for a formula is preceded by an apostrophe, as in what the
 * service exports: names come from outside. */
export function csv(rows: readonly (readonly Cell[])[]): string {
  return MARK + rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function cell(value: Cell): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return QUOTED.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
