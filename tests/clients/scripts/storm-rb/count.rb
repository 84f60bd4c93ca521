require "./storm"

class Count < Storm::Bolt
  def prepare(conf, context)
    @counts = Hash.new(0)
  end

  def process(tup)
    word = tup.values[0]
    @counts[word] += 1
    emit([word, @counts[word]], :anchor => tup)
    ack(tup)
  end
end

Count.new.run
