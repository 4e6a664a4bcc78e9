import { test } from "vitest";
import { splitSentences } from "./sentences.js";
test("x", () => {
  console.log(splitSentences("The image is a T2-weighted MRI, e.g. an axial one. Dr. J. Smith saw approx. 3.5 cm vs. 2 cm in Fig. 2. No. 4 is normal. 1. The liver is fine. 2. It is hepatitis B. Liver is ok (see Fig. 3). Give q.d. The end... maybe. Really?! Yes."));
});
