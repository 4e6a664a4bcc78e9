import { it } from "vitest";
import { writeFileSync } from "node:fs";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { LocalModel } from "/work/main/src/engine/local/runtime/model.js";
import { trainFeedsOf } from "/work/main/src/engine/local/runtime/pack.js";
import { parseQwen3VLConfig } from "/work/main/src/engine/local/model/config.js";
import { buildTrainGraph } from "/work/main/src/engine/local/model/train-graph.js";
import { qwen3vlConfig, modelSizes } from "/work/main/src/engine/local/create-model.js";
it("prof", async () => {
  const V=800;
  const cfg = parseQwen3VLConfig(qwen3vlConfig(modelSizes[(process.env.SZ??"1M") as "1M"], V, {image:1,video:2,visionStart:3,visionEnd:4,end:0}), "x");
  const m = new LocalModel(cfg, {threads:1, provider:"cpu", lora:null, maxRows:8});
  let s=1; for (let i=0;i<m.trainable.flat.length;i++){ s=(s*1103515245+12345)&0x7fffffff; m.trainable.flat[i]=(s/0x7fffffff-0.5)*0.1; }
  const img={source:"a",grid:{t:1,h:8,w:8},patches:new Float32Array(64*cfg.vision.patchInputs).fill(0.1),tokenCount:16};
  const p={tokens:[5,6,3,...Array(16).fill(1),4,...Array(12).fill(0).map((_,i)=>10+i)],images:[img]};
  const data=Array.from({length:8},()=>({prompt:p,completion:Array(88).fill(0).map((_,i)=>20+i%100),weights:Array(88).fill(0.001),advantages:Array(88).fill(1),logprobs:Array(88).fill(-6),referenceLogprobs:Array(88).fill(-6)}));
  const b=m.batches(data as any)[0];
  const ctx=m.graphContext;
  const g=buildTrainGraph(cfg,ctx.shapes,b.shape,"policy",new Set(m.trainable.shapes.keys()));
  writeFileSync("/tmp/eb/g.onnx",g.bytes);
  const sess=await InferenceSession.create(g.bytes,{intraOpNumThreads:1,interOpNumThreads:1,graphOptimizationLevel:"all",enableMemPattern:false,enableProfiling:true,profileFilePrefix:"/tmp/eb/prof"} as any);
  const feeds=trainFeedsOf(cfg,data as any,b,{mode:"policy",temperature:1,epsLow:.2,epsHigh:.2,klCoef:.04},m.allocate);
  const f:any={}; for(const i of g.inputs) f[i.name]=new Tensor(i.dtype as any,(feeds[i.name]??m.parameter(i.name)) as any,i.shape);
  for(let i=0;i<12;i++) await sess.run(f);
  (sess as any).endProfiling();
  console.log("nodes",g.nodeCount, JSON.stringify(b.shape));
},600000);
