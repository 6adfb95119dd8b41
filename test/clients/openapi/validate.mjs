// Fails unless the document in the file named is valid OpenAPI 3.1, by the
// schema of the OpenAPI Initiative, and all its references lead somewhere.
import { Validator } from "@seriousme/openapi-schema-validator";

const validator = new Validator();
const result = await validator.validate(process.argv[2]);
if (!result.valid || validator.version !== "3.1") {
  console.error(`version ${validator.version}:`, JSON.stringify(result.errors, null, 2));
  process.exit(1);
}
await validator.resolveRefs();
