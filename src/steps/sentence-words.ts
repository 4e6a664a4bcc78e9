/** Word lists of the sentence splitter, lower case, without the final full stop. */

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** What always goes on: titles, references to a numbered thing, and words that must be followed by another. */
export const neverFinal = words(`
  dr drs mr mrs ms prof messrs st hon rev capt col gen lt sgt
  fig figs tab eq eqs ref refs sec secs ch vol vols pp no nos nr art ex
  e.g i.e eg ie cf viz vs v approx ca resp incl excl esp
`);

/** Abbreviations that may also end a sentence: they do before a capitalised word that starts sentences. */
export const abbreviations = words(`
  etc al jr sr inc ltd corp co dept univ
  q.d q.i.d b.i.d t.i.d p.r.n p.o q.h q.s h.s a.c p.c q.o.d stat i.v i.m s.c s.l n.p.o
  bid tid qid prn po
  a.m p.m u.s u.k u.s.a m.d ph.d r.n d.o b.s m.s a.d b.c
  mm cm ml kg mg mcg hr hrs min mins sec wk wks mo mos yr yrs yo y.o in ft lb lbs oz
  temp avg max est dx hx tx rx sx fx pt pts ant post lat med sup inf prox dist int ext
  bilat lt rt mid seg segs art arts lig ligs musc nn aa vv mm proc tub foram vert
  diff ddx abd abdom neuro cardio susp poss prob neg
  jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri sat sun
  ave blvd rd
  inc
`);

/** Words that, capitalised after an abbreviation or a letter, are a sentence's first and not a name. */
export const sentenceStarters = words(`
  a an the this that these those there here it its it's he she they we i you his her their our my one both each some
  many most all any no none neither either several another other others such
  in on at by for from with without within of to as after before during under over above below between among along
  near despite because since although though while when where whereas if unless until once given based due per
  and but or nor so yet thus hence therefore however moreover furthermore additionally also finally next then first
  second third lastly overall further similarly conversely instead indeed nevertheless nonetheless meanwhile
  consequently accordingly together specifically notably importantly
  what which who how why whether is are was were does do did can could may might should would will has have
  considering looking comparing according compared combined step now let let's
  image images imaging patient patients finding findings lesion lesions image's key
`);

/** Lower-case words before which a letter and a full stop are a person's: "by J. Smith". */
export const nameContexts = words(`by with and from per see for to dr`);
