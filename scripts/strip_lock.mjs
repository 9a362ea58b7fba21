// Removes the funding fields from an npm lock file: they hold addresses, and no lock here may hold one.
// Usage: node scripts/strip_lock.mjs package-lock.json
import { readFileSync, writeFileSync } from "node:fs";

const [path] = process.argv.slice(2);
const lock = JSON.parse(readFileSync(path, "utf8"));
for (const entry of Object.values(lock.packages)) {
  delete entry.funding;
  delete entry.resolved;
}
writeFileSync(path, JSON.stringify(lock, null, 2) + "\n");
