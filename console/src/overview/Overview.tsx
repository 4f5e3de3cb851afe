import { say } from "../words";

export function Overview() {
  return (
    <main>
      <h1>{say("overview")}</h1>
    </main>
  );
}
