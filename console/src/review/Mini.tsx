import { Stored } from "../parts/Stored";
import { Boxes } from "./Boxes";
import { pathOf, type Recorded } from "./recorded";

/** The thumbnail of a detection with its regions. */
export function Mini({ detection }: { detection: Recorded }) {
  return (
    <span class="mini">
      <Stored name="thumbnail" path={pathOf(detection.id, "thumbnail")} alt={detection.file_name} />
      <Boxes detection={detection} />
    </span>
  );
}
