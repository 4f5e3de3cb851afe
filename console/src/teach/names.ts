/** Why a class cannot be named so, as the service would say it; null where it can. */
export function wrongWith(name: string): "nameRule" | "nameReserved" | null {
  if (name.toLowerCase() === "router") return "nameReserved";
  return /^[A-Za-z0-9](?:[A-Za-z0-9-]|_(?!_)){0,63}$/.test(name) && !name.endsWith("_") ? null : "nameRule";
}
