import deeds
import galewire


@galewire.bolt
def citizen(number):
    deeds.do(number)
    yield number
