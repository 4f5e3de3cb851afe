import { useEffect, useState } from "preact/hooks";

const systemDark = matchMedia("(prefers-color-scheme: dark)");

/** Turns light into dark and dark into light, whatever the system prefers. */
export function switchTheme(): void {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches;
  root.dataset.theme = dark ? "light" : "dark";
}

/** Changes whenever the theme does: for what is drawn with colours that it reads once. */
export function useTheme(): number {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const changed = () => setTurn((count) => count + 1);
    const watcher = new MutationObserver(changed);
    watcher.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    systemDark.addEventListener("change", changed);
    return () => {
      watcher.disconnect();
      systemDark.removeEventListener("change", changed);
    };
  }, []);
  return turn;
}
