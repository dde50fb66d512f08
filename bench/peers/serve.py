"""What the peers have in common: they serve requests, one JSON object a line.

The requests come on stdin, the answers go to stdout:

    {"do": "open", "mode": "train" or "infer", "batch": N, "rate": R}
    {"do": "run", "steps": K}        answer: {"seconds": S, "peak_bytes": B}, S of the K steps together

The first line says who answers. Whatever else is printed goes to stderr.
"""

import argparse
import json
import os
import sys
import time
import traceback


def arguments(variants):
    """variants are the names that each device has."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--net", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--variant", required=True)
    parser.add_argument("--device", choices=variants, default="cpu")
    parser.add_argument("--precision", choices=["float32", "tf32", "bf16"], default="float32")
    a = parser.parse_args()
    if a.variant not in variants[a.device]:
        parser.error(f"variant {a.variant} on {a.device}: there are {', '.join(variants[a.device])}")
    return a


def serve(hello, open_case, finish=lambda: None, peak_bytes=lambda: 0):
    """open_case(mode, batch, rate) gives (facts, step): step() computes one step, or
    starts it; finish() waits for what was started. peak_bytes() is the most memory
    that was held on a device with memory of its own, 0 where there is none."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not mix with the answers

    def answer(o):
        answers.write(json.dumps(o) + "\n")

    answer(hello)
    step = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "open":
                step = None  # lets the case before go, with its memory
                begin = time.perf_counter()
                facts, step = open_case(request["mode"], request["batch"], request.get("rate", 0))
                step()  # compiles, where something compiles
                finish()
                facts["first_seconds"] = time.perf_counter() - begin
                answer(facts)
            else:
                begin = time.perf_counter()
                for _ in range(request["steps"]):
                    step()
                finish()
                answer({"seconds": time.perf_counter() - begin, "peak_bytes": peak_bytes()})
        except Exception as e:
            traceback.print_exc()
            text = str(e).strip()
            reason = text.splitlines()[0] if text else ""
            answer({"error": f"{type(e).__name__}: {reason}"[:300]})
