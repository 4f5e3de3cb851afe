import "./styles/base.css";
import "./styles/parts.css";
import "./styles/marks.css";
import { render } from "preact";
import { Shell } from "./shell/Shell";
import { language } from "./words";

document.documentElement.lang = language;
const place = document.getElementById("page");
if (place) render(<Shell />, place);
