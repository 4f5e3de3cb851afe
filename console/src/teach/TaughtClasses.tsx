import { Link } from "wouter-preact";
import { useSession } from "../api/session";
import { say } from "../words";

/** The classes that are there, whose references can be tended. */
export function TaughtClasses() {
  const { classes } = useSession();
  return (
    <section class="sheet">
      <h2>{say("taughtClasses")}</h2>
      {classes.length === 0 && <p class="soft">{say("noClasses")}</p>}
      <ul class="rows">
        {classes.map(({ class_name, references }) => (
          <li key={class_name}>
            <Link href={`/teach/class/${class_name}`}>
              <span class="name">{class_name}</span>
              <span class="soft">{say("referencesCount", { count: references })}</span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
