#!/usr/bin/env python3
"""Tunes the shipped encoder so that emergencies lie near others of their lane, and away from all else.

    lanes.py train   starts from the weights file in use, writes float32: what was not trained stays as it is
    lanes.py check   leaves one writer's examples out, trains, and prints how many are found before and after

What an ordinary entry's phrasings mean stays nearly as it was. README.md, "Lanes", has what it gave.
"""
import argparse
import glob
import os
import random

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import Tokenizer

import minilm
from noise import spoil
from tune import CLIP, DECAY, LONGEST, WARM_UP, read_entry

RATE = 1e-4
TEMPERATURE = .1
EACH, HARMLESS, EVERYDAY, ORDINARY, GENERAL = 5, 16, 16, 40, 24  # in a batch: of each lane, and of what is none
SPOIL, SPOIL_OTHERS = .5, .3  # how often lanes' own examples are typed badly, and other texts
DISTILLATION, OWN = 20, .5    # weight of staying near the vectors in use: of ordinary texts, of lanes' own
SMOOTHING = .05               # of the classifier's labels
SHARP = 30                    # laneSharp of lane.go, for check
NONE = -1


def plain(path):
    return [line.strip() for line in open(path, encoding='utf-8')] if os.path.exists(path) else []


class Examples:
    """All texts; lane has a number or NONE for each, kind its lane or what it is instead."""
    def __init__(self, faq, left_out):
        self.texts, self.lane, self.kind, self.out = [], [], [], []
        self.lanes = []
        for path in sorted(glob.glob(f'{faq}/**/*.md', recursive=True)):
            name = os.path.basename(path)[:-3]
            if name == 'README':
                continue
            if os.path.basename(os.path.dirname(path)) != 'lanes':
                e = read_entry(path)
                self.add(e['title'] + e['plain'] + e['other'], NONE, 'ordinary')
            elif os.path.exists(path[:-3] + '.asked'):  # crisis-either has none
                self.lanes.append(name)
                lane = len(self.lanes) - 1
                marked = plain(path[:-3] + '.cues')
                self.add([c[5:].strip() for c in marked if c.startswith('must:')], lane, name)
                self.add([c[9:].strip() for c in marked if c.startswith('must not:')], NONE, 'harmless')
                e = read_entry(path)
                self.asked(path[:-3] + '.asked', lane, name, left_out)
                self.add([t for t in e['plain'] + e['other'] if t not in self.texts], lane, name)
        for path in sorted(glob.glob(f'{faq}/lanes/_*.asked')):
            self.asked(path, NONE, os.path.basename(path)[1:-6], left_out)
        self.lane = torch.tensor(self.lane)

    def asked(self, path, lane, kind, left_out):
        out = False
        for line in plain(path):
            if line.startswith('#'):
                out = bool(left_out) and left_out in line  # a comment says who wrote what follows
            elif line:
                self.add([line], lane, kind, out)

    def add(self, texts, lane, kind, out=False):
        self.texts += texts
        self.lane += [lane] * len(texts)
        self.kind += [kind] * len(texts)
        self.out += [out] * len(texts)

    def of(self, kind):
        return [i for i, k in enumerate(self.kind) if k == kind and not self.out[i]]


def loss_of(vectors, lane, own, head):
    """SupCon over lanes; what is none lies nearer to its like than to any lane; and a classifier over lanes and none.

    own: how many vectors, from the first, are of lanes or were made to be mistaken for them."""
    scores = vectors @ vectors.T / TEMPERATURE - torch.eye(len(vectors)) * 1e4
    urgent = lane != NONE
    same = (lane[:, None] == lane) & urgent[:, None] & ~torch.eye(len(lane), dtype=torch.bool)
    peers = ~urgent[:, None] & ~urgent
    negatives = torch.logsumexp(scores.masked_fill(same | peers, -1e4), 1, keepdim=True)
    each = (torch.logaddexp(scores, negatives) - scores) * same
    contrast = (each.sum(1) / same.sum(1).clamp(min=1))[urgent].mean()
    alarming, calm = (torch.logsumexp(scores.masked_fill(~to, -1e4), 1) for to in (urgent.expand_as(same), peers))
    apart = F.softplus(alarming - calm)[:own][~urgent[:own]].mean()
    labels = torch.where(urgent, lane, head.out_features - 1)
    return contrast + apart + F.cross_entropy(head(vectors), labels, label_smoothing=SMOOTHING)


def classifier(x, vectors):
    """A head that fits the vectors in use, so that the first steps do not move them at random."""
    some = [i for n, i in enumerate(i for i in range(len(x.texts)) if not x.out[i]) if x.kind[i] != 'ordinary' or n % 6 == 0]
    lane = x.lane[some]
    head = torch.nn.Linear(minilm.SIZE, len(x.lanes) + 1)
    labels, at = torch.where(lane == NONE, len(x.lanes), lane), vectors[some]
    optimizer = torch.optim.AdamW(head.parameters(), lr=.05, weight_decay=.001)
    for _ in range(300):
        optimizer.zero_grad()
        F.cross_entropy(head(at), labels).backward()
        optimizer.step()
    return head


def train(x, start, a, tokenizer, general):
    torch.manual_seed(a.seed)
    r = random.Random(a.seed)
    vectors = minilm.encode(start, x.texts + general, tokenizer, torch.device('cpu'), LONGEST)  # what distillation holds on to
    head = classifier(x, vectors)
    w = {n: t.clone().requires_grad_(n.startswith('encoder.')) for n, t in start.items()}
    learnt = [t for t in w.values() if t.requires_grad]
    optimizer = torch.optim.AdamW([dict(params=learnt, weight_decay=DECAY, rate=RATE),
                                   dict(params=head.parameters(), weight_decay=0, rate=10 * RATE)], betas=(.9, .98), eps=1e-6)
    lanes, others = [x.of(name) for name in x.lanes], [x.of(kind) for kind in ('harmless', 'everyday', 'ordinary')]
    for step in range(a.steps):
        for group in optimizer.param_groups:
            group['lr'] = group['rate'] * min(1, (step + 1) / (WARM_UP * a.steps)) * max(.02, 1 - step / a.steps)
        batch = [i for lane in lanes for i in r.sample(lane, min(EACH, len(lane)))]
        batch += r.sample(others[0], HARMLESS) + r.sample(others[1], EVERYDAY)
        own = len(batch)
        batch += r.sample(others[2], ORDINARY) + r.sample(range(len(x.texts), len(x.texts) + len(general)), GENERAL)
        texts = [x.texts[i] if i < len(x.texts) else general[i - len(x.texts)] for i in batch]
        texts = [spoil(t, r) if r.random() < (SPOIL if n < own else SPOIL_OTHERS) else t for n, t in enumerate(texts)]
        now = minilm.forward(w, minilm.pack(texts, tokenizer, torch.device('cpu'), LONGEST), training=True)
        moved = 1 - (now * vectors[batch]).sum(1)
        known = len(batch) - GENERAL  # of general sentences nobody has looked which are alarming
        loss = loss_of(now[:known], x.lane[batch[:known]], own, head) + DISTILLATION * moved[own:].mean() + OWN * moved[:own].mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learnt, CLIP)
        optimizer.step()
        if step % 20 == 0 or step == a.steps - 1:
            print(f'step {step + 1} loss {loss.item():.4f}, ordinary texts moved {moved[own:].mean():.4f}', flush=True)
    return {n: t.detach() for n, t in w.items()}


def found(x, w, tokenizer):
    """Share of the emergencies left out that nearness finds, where it alarms 5 % of what is none; in their lane."""
    vectors = minilm.encode(w, x.texts, tokenizer, torch.device('cpu'), LONGEST)
    out = torch.tensor(x.out)
    near = SHARP * (vectors[out] @ vectors[~out].T - 1)
    asked, lane = x.lane[out], x.lane[~out]
    by = torch.stack([torch.logsumexp(near[:, lane == n], 1) for n in range(len(x.lanes))], 1)
    alarm = torch.logsumexp(by, 1) - torch.logsumexp(near[:, lane == NONE], 1)
    met = alarm > alarm[asked == NONE].quantile(.95)
    size = torch.stack([(lane == n).sum() for n in range(len(x.lanes))])
    right = met & ((by - size.log()).argmax(1) == asked)
    return f'{100 * met[asked != NONE].float().mean():.1f} % found, {100 * right[asked != NONE].float().mean():.1f} % in their lane'


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('mode', choices=('train', 'check'))
    p.add_argument('--weights', default='../minilm/minilm.bin', help='the weights to start from: a .bin or .safetensors file')
    p.add_argument('--tokenizer', default='model/tokenizer.json')
    p.add_argument('--faq', required=True)
    p.add_argument('--general', default='general.tsv')
    p.add_argument('--out', default='lanes.safetensors')
    p.add_argument('--without', default='had read neither', help='check: leave out what stands below comments with these words')
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--steps', type=int, default=200)
    p.add_argument('--alpha', type=float, default=.85, help='the way from the weights in use to the tuned ones')
    p.add_argument('--threads', type=int, default=2)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    tokenizer = Tokenizer.from_file(a.tokenizer)
    tokenizer.no_padding(), tokenizer.no_truncation()
    x = Examples(a.faq, a.without if a.mode == 'check' else '')
    print(len(x.lanes), 'lanes', int((x.lane != NONE).sum()), 'examples', len(x.texts), 'texts', sum(x.out), 'left out', flush=True)
    general = [line.rstrip('\n').split('\t')[1] for line in open(a.general, encoding='utf-8')][:4000]
    start = minilm.load(a.weights, torch.device('cpu'))
    tuned = train(x, start, a, tokenizer, general)
    w = {n: start[n] * (1 - a.alpha) + t * a.alpha for n, t in tuned.items()}
    if a.mode == 'check':
        print('before:', found(x, start, tokenizer))
        print('after: ', found(x, w, tokenizer))
        return
    save_file(w, a.out, metadata={'format': 'pt'})


if __name__ == '__main__':
    main()
