import { usePicture } from "../api/loaded";
import { say } from "../words";

/** A picture that the service keeps, such as a thumbnail; says so where it cannot be had. */
export function Stored({ path, alt, name = "stored" }: { path: string; alt: string; name?: string }) {
  const { url, failure } = usePicture(path);
  if (failure) return <span class={`${name} missing`}>{`${say("noPicture")} (${failure.code})`}</span>;
  if (!url) return <span class={`${name} missing`} aria-busy="true" />;
  return <img class={name} src={url} alt={alt} />;
}
