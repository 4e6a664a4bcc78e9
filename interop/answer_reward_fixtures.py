"""ROUGE-1 and BLEU-1 of answer pairs as the MRPO reference computes them, and NLTK's Porter stems
-> fixtures/answer-reward.json.
    pip install nltk rouge-score && python interop/answer_reward_fixtures.py
"""
import json
import random
import re
import warnings
from pathlib import Path

from nltk.stem.porter import PorterStemmer
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from rouge_score import rouge_scorer

PAIRS = [
    ("", ""), ("", "liver"), ("liver", ""), (" ", "liver"), ("...", "liver"), ("?!", "?!"), ("-", "-"),
    ("liver", "liver"), ("Liver", "liver"), ("the liver", "liver"), ("liver.", "liver"), ("livers", "liver"),
    ("right lung", "left lung"), ("right lower lobe", "right upper lobe"), ("lung, right", "right lung"),
    ("4", "four"), ("4.0", "4"), ("3.5 cm", "3.5cm"), ("3,5 cm", "3.5 cm"), ("1,000 ml", "1000 ml"),
    ("x-ray", "X ray"), ("CT", "ct scan"), ("MRI T2", "T2-weighted MRI"), ("T1-weighted", "T1 weighted image"),
    ("Crohn's disease", "Crohn’s disease"), ("Ménière disease", "Meniere disease"), ("œdème", "oedema"),
    ("心臓", "心臓"), ("心臓 肥大", "心臓"), ("naïve B-cell", "naive B cell"), ("µm", "um"), ("10 μm", "10 µm"),
    ("Straße", "strasse"), ("İstanbul", "istanbul"), ("K", "k"), ("ﬁbrosis", "fibrosis"), ("🫁 lung", "lung"),
    ("liver\u00a0mass", "liver mass"), ("liver\u2003mass", "liver mass"), ("liver\tmass\n", "liver mass"),
    ("liver\x1cmass", "liver mass"), ("liver\ufeffmass", "liver mass"), ("\ufeffliver", "liver"), ("liver\x85mass", "liver mass"),
    ("<b>liver</b>", "liver"), ("<answer>liver</answer>", "liver"), ("size < 3 cm and > 2 cm", "2 to 3 cm"), ("<>", "a <> b"),
    ("the the the", "the"), ("the", "the the the"), ("mass mass in lung", "mass in the lung mass"),
    ("pneumonia of the right lower lobe with effusion", "right lower lobe pneumonia"),
    ("no", "yes"), ("yes", "yes"), ("bilateral pleural effusions", "pleural effusion, bilateral"),
    ("dying cells", "die"), ("skies", "sky"), ("news", "new"), ("proceeding", "proceed"), ("innings", "inning"),
]

WORDS = """
abdominal abnormal abnormalities abscess accumulation acute adenocarcinoma adenoma adhesions airway alveolar anatomy
aneurysm aneurysmal angiogram anterior aorta aortic appendicitis arterial arteries artery arthritis ascending asymmetric
asymmetry atelectasis atrophic atrophy axial basal benign bilateral biopsied bleeding blockage blood bodies bones bowel
brain branches breast bronchial bronchiectasis calcification calcifications calcified calcifying cancerous cardiac
cardiomegaly carotid cartilage caudate cavities cavity cerebellar cerebellum cerebral cervical chest cholecystitis
circumferential cirrhosis cirrhotic clavicle collapsed collapsing colon compressed compression consolidation contrast
coronal cortical costophrenic cystic cysts deformities degenerate degeneration degenerative density descending
diaphragm diffuse dilatation dilated dilation disease displaced displacement disseminated diverticula diverticulitis
dying edema edematous effusion effusions elevated embolism emphysema encephalitis enhancement enhancing enlarged
enlargement epidural esophagus evaluated expansion extending fatty femoral femur fibroid fibrosis fibrotic fillings
fissures flattened flattening flies fluids focal fracture fractured fractures frontal fused gallbladder gallstones
gastric generalized glands glioblastoma gliomas gyri healing heart hematoma hemispheres hemorrhage hemorrhagic hepatic
hernia herniated herniation hippocampus histologically homogeneous horizontal hydrocephalus hydronephrosis hyperdense
hyperintense hyperintensity hypodense hypodensities ideally imaging implanted infarct infarction infected infections
inferior infiltrates infiltration inflamed inflammation inflammatory interstitial intestine intracranial invasive
irregularly ischemia ischemic joints kidney kidneys laterally lesions leukemia ligaments lipoma liver lobar lobes
lobulated localization localized lucency lumbar lungs lymphadenopathy lymphoma malignancies malignancy malignant
mandible margins masses mediastinal mediastinum medically meniscus metastases metastasis metastatic midline morphology
multiple muscles myocardial narrowing necrosis necrotic negatively nerves neurologically nodes nodular nodularity
nodules normality obstructed obstruction occipital occlusion opacification opacities opacity organs orientation
osteopenia osteophytes ovarian pancreas pancreatic pancreatitis parenchymal parietal pathological pathologies
pathology patients pelvic pelvis perforated perforation pericardial peritoneal physiological pituitary placed
plaques pleural pneumonia pneumothorax polyps positional posterior probability prominent prostate pulmonary quadrants
radiological radiologically radiology rational rectal relational renal resected retroperitoneal rheumatoid rotated
ruptured sagittal sarcoidosis scarring sclerotic sensibility sensitivity shifted shifting signaling sinuses skeletal
skull spied spinal spleen splenic splenomegaly spreading squamous stenosis sternum stomach stones structural
subarachnoid subdural sulci superiorly suspicious swelling swollen symmetrical systematically temporal tendons
thickened thickening thoracic thrombosis thyroid tied tissues tomography trachea transverse traumatic tuberculosis
tumorous tumors typically ulcerated ultrasound unusually ureteral urinary uterine uterus valves varices vascular
vasculature veins ventricles ventricular vertebrae vertebral vertically vessels visible visualization visualized
weighted widened widening agreed feed seed hopping hissing fizzed failing filing conflated troubled sized happy enjoy
conditional digitizer conformably radically differently vilely analogously vietnamization predication operator
feudalism decisiveness hopefulness callousness formality theology geology archaeology hopefully gyroscopic adjustable
defensible irritant replacement adjustment dependent adoption communism activate angularity homologous effective
bowdlerize probate rate cease controll roll yyyy yes by sky ties dies lies ying ski skiing oed aed ing ed s ss sss ies
""".split()


def rouge1(prediction: str, reference: str) -> float:
    def clean(text: str) -> str:
        text = re.sub(r"<[^>]+>", " ", text).lower()
        return re.sub(r"\s+", " ", text).strip()

    scorer = rouge_scorer.RougeScorer(["rouge1"], use_stemmer=True)
    return float(scorer.score(clean(reference), clean(prediction))["rouge1"].fmeasure)


def bleu1(prediction: str, reference: str) -> float:
    return float(
        sentence_bleu(
            [reference.split()],
            prediction.split(),
            weights=(1, 0, 0, 0),
            smoothing_function=SmoothingFunction().method4,
        )
    )


def pairs() -> list[tuple[str, str]]:
    rng = random.Random(20260704)
    out = list(PAIRS)
    small = ["the", "of", "in", "and", "a", "right", "left", "with", "3.5", "cm", "T2-weighted", "x-ray,", "(CT)", "no"]
    for _ in range(340):
        gold = [rng.choice(WORDS if rng.random() < 0.7 else small) for _ in range(rng.randint(1, 7))]
        answer = [w for w in gold if rng.random() < 0.7]
        answer += [rng.choice(WORDS if rng.random() < 0.7 else small) for _ in range(rng.randint(0, 4))]
        rng.shuffle(answer)
        if rng.random() < 0.3:
            answer = [w.capitalize() for w in answer]
        if rng.random() < 0.3 and answer:
            answer[-1] += rng.choice([".", ",", "!", ";"])
        if rng.random() < 0.3:
            answer = [w + "s" if rng.random() < 0.3 else w for w in answer]
        out.append((" ".join(answer), " ".join(gold)))
    return out


def main() -> None:
    warnings.simplefilter("ignore")
    stem = PorterStemmer().stem
    rows = []
    for answer, gold in pairs():
        # The reference strips both before it scores them.
        a, g = answer.strip(), gold.strip()
        rows.append({"answer": answer, "gold": gold, "rouge1": rouge1(a, g), "bleu1": bleu1(a, g)})
    stems = {word: stem(word) for word in sorted(set(WORDS))}
    out = Path(__file__).parent / "fixtures" / "answer-reward.json"
    out.write_text(json.dumps({"pairs": rows, "stems": stems}, ensure_ascii=True, indent=0) + "\n", encoding="utf-8")
    print(f"{len(rows)} pairs, {len(stems)} stems")


if __name__ == "__main__":
    main()
