import galewire


@galewire.bolt
def split(sentence):
    for word in sentence.split():
        yield word
