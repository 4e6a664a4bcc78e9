/** Word lists of the sentence splitter: lower case, without the final full stop. */

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Always followed by what they belong to: titles, and words that lead up to another. */
export const neverFinal = words(`
  dr drs mr mrs ms messrs hon rev prof
  e.g i.e eg ie cf viz vs approx esp incl excl resp
`);

/** Followed by a number or a letter that names something: "Fig. 2", "Vol. IV", "Ref. B". */
export const beforeNumber = words(`
  fig figs tab eq eqs ref refs sec secs ch vol vols pp pt pts no nos nr ex ca v p seg segs im ser img
`);

/** Before a name they go on, before a word that starts sentences they end. */
export const beforeName = words(`
  st ste mt sr jr inc ltd corp co dept univ hosp ave blvd u.s u.k u.s.a u.n capt col gen lt.col sgt
  jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri
`);

/** Of place or degree; before capitals they go on ("rt. MCA"), before a capitalised word they end. */
export const modifiers = words(`
  ant post lat med sup inf prox dist bilat lt rt susp poss prob neg pos max min avg temp abd diff dx ddx hx tx rx sx fx
  art arts lig ligs nn aa vv proc tub foram vert
`);

/** End a sentence before any capitalised word, and none otherwise. */
export const abbreviations = words(`
  etc al et.al
  q.d q.i.d b.i.d t.i.d p.r.n p.o q.h q.s h.s a.c p.c q.o.d i.v i.m s.c s.l n.p.o bid tid qid prn
  a.m p.m
  mm cm ml kg mg mcg hr hrs mins wk wks mo mos yr yrs y.o lb lbs oz
  m.d ph.d r.n d.o b.s m.s
`);

/** Words that, capitalised behind an abbreviation or a letter, are a sentence's first and not a name. */
export const sentenceStarters = words(`
  a an the this that these those there here it its it's he she they we i his her their our my one both each some
  many most all any no none neither either several another other others such
  in on at by for from with without within of to as after before during under over above below between among along
  near despite because since although though while when where whereas if unless until once given based due per
  and but or nor so yet thus hence therefore however moreover furthermore additionally also finally next then first
  second third lastly overall further similarly conversely instead indeed nevertheless nonetheless meanwhile
  consequently accordingly together specifically notably importantly
  what which who how why whether is are was were does do did can could may might should would will has have
  considering looking comparing according compared combined step now let let's
  image images imaging patient patients finding findings lesion lesions
`);

/** Lower-case words before which a letter and a full stop are a person's: "by J. Smith". */
export const nameContexts = words(`by with and from per see for to dr`);
