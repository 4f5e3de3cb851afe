/** Gives the keyboard to what the page shows, past the navigation. */
export function focusMain(): void {
  const main = document.querySelector<HTMLElement>("main, .signin");
  if (!main) return;
  main.tabIndex = -1; // focused by a script alone
  main.focus();
}

/** Gives the keyboard back to what had it, or where that is gone to the page. */
export function focusAgain(before: Element | null): void {
  if (before instanceof HTMLElement && before !== document.body && before.isConnected) before.focus();
  else focusMain();
}
