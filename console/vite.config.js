import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vite";

const SOURCES = ["index.html", "package-lock.json", "src", "tsconfig.json", "vite.config.js"];
const GENERATED = "src/api/schema.d.ts"; // types alone: nothing of it is in what is built

function filesIn(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => filesIn(join(path, name)));
}

/** Records the sources' SHA-256 beside the built files: a test holds the two together without Node. */
const recordSources = {
  name: "record-sources",
  generateBundle() {
    const sum = createHash("sha256");
    const files = SOURCES.flatMap(filesIn).filter((path) => path !== GENERATED);
    for (const path of files.sort()) {
      sum.update(`${path}\0${createHash("sha256").update(readFileSync(path)).digest("hex")}\n`);
    }
    this.emitFile({ type: "asset", fileName: "sources.sha256", source: `${sum.digest("hex")}\n` });
  },
};

export default defineConfig({
  base: "/console-files/",
  plugins: [recordSources],
  build: {
    outDir: "../service/patchbank/console/static",
    emptyOutDir: true,
    assetsDir: "",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
});
