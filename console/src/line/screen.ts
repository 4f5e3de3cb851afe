import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";

/** Whether the element fills the screen, and how to change that; null where the browser cannot. */
export function useFullScreen(place: RefObject<HTMLElement>): { on: boolean; change: () => void } | null {
  const [on, setOn] = useState(false);
  useEffect(() => {
    const changed = () => setOn(document.fullscreenElement !== null);
    document.addEventListener("fullscreenchange", changed);
    return () => document.removeEventListener("fullscreenchange", changed);
  }, []);
  if (!document.fullscreenEnabled) return null;
  const change = () =>
    void (document.fullscreenElement ? document.exitFullscreen() : place.current?.requestFullscreen());
  return { on, change };
}

/** Keeps the screen on while the page is seen. False where the browser does not do that: beyond this machine only
 * with TLS. */
export function useAwake(): boolean {
  const [awake, setAwake] = useState("wakeLock" in navigator);
  useEffect(() => {
    if (!("wakeLock" in navigator)) return;
    let lock: WakeLockSentinel | undefined;
    let over = false;
    const take = async () => {
      if (document.visibilityState !== "visible") return;
      try {
        lock = await navigator.wakeLock.request("screen");
        if (over) await lock.release();
        setAwake(true);
      } catch (error) {
        if (!(error instanceof DOMException)) throw error;
        setAwake(false);
      }
    };
    void take();
    document.addEventListener("visibilitychange", take);
    return () => {
      over = true;
      document.removeEventListener("visibilitychange", take);
      void lock?.release();
    };
  }, []);
  return awake;
}

/** The present, anew every second. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
