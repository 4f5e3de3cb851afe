import type { ComponentType } from "preact";
import { Classes } from "../classes/Classes";
import { Inspect } from "../inspect/Inspect";
import { Line } from "../line/Line";
import { Overview } from "../overview/Overview";
import { Review } from "../review/Review";
import { Teach } from "../teach/Teach";
import type { Word } from "../words";

interface View {
  /** What follows `#` in the address. */
  path: string;
  /** The view's pages, where they are not all that begins with its path. */
  pages?: RegExp;
  title: Word;
  view: ComponentType;
}

/** The views in the order of the navigation. */
export const VIEWS: readonly View[] = [
  { path: "/", pages: /^\/(?:pictures\/(?<picture>\d+))?$/, title: "inspect", view: Inspect },
  { path: "/teach", title: "teach", view: Teach },
  { path: "/review", title: "reviewView", view: Review },
  { path: "/line", title: "line", view: Line },
  { path: "/classes", title: "classesView", view: Classes },
  { path: "/overview", title: "overview", view: Overview },
];
