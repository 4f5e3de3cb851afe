import type { ComponentType } from "preact";
import { Classes } from "../classes/Classes";
import { Inspect } from "../inspect/Inspect";
import { Line } from "../line/Line";
import { Overview } from "../overview/Overview";
import { Review } from "../review/Review";
import { Teach } from "../teach/Teach";
import type { Word } from "../words";

/** The views in the order of the navigation; `path` is what follows `#` in the address. */
export const VIEWS: readonly { path: string; title: Word; view: ComponentType }[] = [
  { path: "/", title: "inspect", view: Inspect },
  { path: "/teach", title: "teach", view: Teach },
  { path: "/review", title: "reviewView", view: Review },
  { path: "/line", title: "line", view: Line },
  { path: "/classes", title: "classesView", view: Classes },
  { path: "/overview", title: "overview", view: Overview },
];
