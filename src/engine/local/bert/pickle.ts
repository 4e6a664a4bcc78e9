/**
 * Reads the pickles in which PyTorch keeps a state dict, without running anything that they name: of all callables only
 * an ordered dictionary and the rebuilding of a plain tensor are known, everything else is refused by its name.
 */
import { UserError } from "../../../util/errors.js";

/** A tensor as the pickle describes it: where its numbers lie in which storage. */
export class TensorRef {
  constructor(
    readonly storage: StorageRef,
    /** Elements from the start of the storage. */
    readonly offset: number,
    readonly shape: readonly number[],
    /** Elements from one index to the next, per dimension. */
    readonly strides: readonly number[],
  ) {}
}

export class StorageRef {
  constructor(
    /** FloatStorage, HalfStorage, … */
    readonly type: string,
    readonly key: string,
    /** Elements. */
    readonly length: number,
  ) {}
}

/** A name that the pickle refers to; only `callGlobal` gives some of them a meaning. */
class Global {
  constructor(readonly name: string) {}
}

const MARK = Symbol("mark");
type Value = unknown;

/** A cursor over the bytes, so that several pickles may follow each other. */
export class Unpickler {
  at = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly source: string,
  ) {}

  /** The next pickle's value: dictionaries as Map, tuples and lists as arrays, big integers as numbers. */
  load(): Value {
    const stack: Value[] = [];
    const memo = new Map<number, Value>();
    const pop = (): Value => {
      if (stack.length === 0) throw this.bad("its stack is empty");
      return stack.pop();
    };
    const toMark = (): Value[] => {
      const from = stack.lastIndexOf(MARK);
      if (from < 0) throw this.bad("a mark is missing");
      return stack.splice(from).slice(1);
    };
    const tuple = (n: number): void => void stack.push(stack.splice(Math.max(0, stack.length - n)));
    const remembered = (key: number): void => {
      if (!memo.has(key)) throw this.bad(`memo ${key} is missing`);
      stack.push(memo.get(key));
    };
    for (;;) {
      const op = this.byte();
      switch (op) {
        case 0x80: // PROTO
          this.byte();
          break;
        case 0x95: // FRAME
          this.take(8);
          break;
        case 0x2e: // STOP
          return pop();
        case 0x28: // MARK
          stack.push(MARK);
          break;
        case 0x30: // POP
          pop();
          break;
        case 0x7d: // EMPTY_DICT
          stack.push(new Map());
          break;
        case 0x5d: // EMPTY_LIST
        case 0x29: // EMPTY_TUPLE
          stack.push([]);
          break;
        case 0x74: // TUPLE
          stack.push(toMark());
          break;
        case 0x85: // TUPLE1, TUPLE2, TUPLE3
        case 0x86:
        case 0x87:
          tuple(op - 0x84);
          break;
        case 0x4e: // NONE
          stack.push(null);
          break;
        case 0x88: // NEWTRUE, NEWFALSE
        case 0x89:
          stack.push(op === 0x88);
          break;
        case 0x4a: // BININT
          stack.push(this.take(4).readInt32LE());
          break;
        case 0x4b: // BININT1
          stack.push(this.byte());
          break;
        case 0x4d: // BININT2
          stack.push(this.take(2).readUInt16LE());
          break;
        case 0x8a: // LONG1
          stack.push(this.long(this.byte()));
          break;
        case 0x47: // BINFLOAT
          stack.push(this.take(8).readDoubleBE());
          break;
        case 0x58: // BINUNICODE
          stack.push(this.text(this.take(4).readUInt32LE()));
          break;
        case 0x8c: // SHORT_BINUNICODE
        case 0x55: // SHORT_BINSTRING
          stack.push(this.text(this.byte()));
          break;
        case 0x63: // GLOBAL
          stack.push(new Global(`${this.line()}.${this.line()}`));
          break;
        case 0x93: {
          // STACK_GLOBAL
          const name = pop();
          stack.push(new Global(`${String(pop())}.${String(name)}`));
          break;
        }
        case 0x71: // BINPUT
          memo.set(this.byte(), stack.at(-1));
          break;
        case 0x72: // LONG_BINPUT
          memo.set(this.take(4).readUInt32LE(), stack.at(-1));
          break;
        case 0x94: // MEMOIZE
          memo.set(memo.size, stack.at(-1));
          break;
        case 0x68: // BINGET
          remembered(this.byte());
          break;
        case 0x6a: // LONG_BINGET
          remembered(this.take(4).readUInt32LE());
          break;
        case 0x61: {
          // APPEND
          const value = pop();
          this.list(stack.at(-1)).push(value);
          break;
        }
        case 0x65: {
          // APPENDS
          const values = toMark();
          this.list(stack.at(-1)).push(...values);
          break;
        }
        case 0x73: {
          // SETITEM
          const value = pop();
          const key = pop();
          this.map(stack.at(-1)).set(key, value);
          break;
        }
        case 0x75: {
          // SETITEMS
          const items = toMark();
          const map = this.map(stack.at(-1));
          for (let i = 0; i + 1 < items.length; i += 2) map.set(items[i], items[i + 1]);
          break;
        }
        case 0x62: // BUILD: attributes of a dictionary (its _metadata); nothing that is needed
          pop();
          break;
        case 0x51: // BINPERSID
          stack.push(this.storage(pop()));
          break;
        case 0x52: {
          // REDUCE
          const args = pop();
          stack.push(this.call(pop(), this.list(args)));
          break;
        }
        default:
          throw this.bad(`it uses the instruction 0x${op.toString(16)}, which no state dict needs`);
      }
    }
  }

  private call(callable: Value, args: readonly Value[]): Value {
    const name = callable instanceof Global ? callable.name : "a value";
    if (name === "collections.OrderedDict" && args.length === 0) return new Map();
    if (name === "torch._utils._rebuild_tensor_v2" || name === "torch._utils._rebuild_tensor") {
      const [storage, offset, shape, strides] = args;
      if (storage instanceof StorageRef && typeof offset === "number" && isSizes(shape) && isSizes(strides) && shape.length === strides.length) {
        return new TensorRef(storage, offset, shape, strides);
      }
      throw this.bad("a tensor's description is malformed");
    }
    if (name === "torch._utils._rebuild_parameter" && args[0] instanceof TensorRef) return args[0];
    throw new UserError(`${this.source} calls ${name} when it is loaded, which is more than plain tensors need; it was not run. Use a checkpoint in the safetensors format.`);
  }

  private storage(id: Value): StorageRef {
    if (Array.isArray(id) && id[0] === "storage" && id[1] instanceof Global && typeof id[2] === "string" && typeof id[4] === "number") {
      return new StorageRef(id[1].name.replace(/^torch\./, ""), id[2], id[4]);
    }
    throw this.bad("a storage's name is malformed");
  }

  private list(value: Value): Value[] {
    if (!Array.isArray(value)) throw this.bad("a list is expected");
    return value as Value[];
  }

  private map(value: Value): Map<Value, Value> {
    if (!(value instanceof Map)) throw this.bad("a dictionary is expected");
    return value as Map<Value, Value>;
  }

  private byte(): number {
    return this.take(1)[0];
  }

  private take(length: number): Buffer {
    const end = this.at + length;
    if (end > this.bytes.length) throw this.bad("it ends too early");
    const part = this.bytes.subarray(this.at, end);
    this.at = end;
    return part;
  }

  private text(length: number): string {
    return this.take(length).toString("utf8");
  }

  private line(): string {
    const end = this.bytes.indexOf(10, this.at);
    if (end < 0) throw this.bad("it ends too early");
    const line = this.bytes.toString("utf8", this.at, end);
    this.at = end + 1;
    return line;
  }

  /** Two's complement, little-endian. */
  private long(length: number): number {
    const bytes = this.take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
    return Number(BigInt.asIntN(8 * length, value));
  }

  private bad(what: string): UserError {
    return new UserError(`${this.source} is no sound PyTorch file: ${what}; copy or download it again, or use a checkpoint in the safetensors format.`);
  }
}

function isSizes(value: Value): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}
