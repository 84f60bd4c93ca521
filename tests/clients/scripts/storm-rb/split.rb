require "./storm"

class Split < Storm::Bolt
  def process(tup)
    tup.values[0].split.each { |word| emit([word], :anchor => tup) }
    ack(tup)
  end
end

Split.new.run
