require "./storm"

class Lines < Storm::Spout
  def open(conf, context)
    @lines = File.read(conf["path"], :encoding => "UTF-8").split("\n")
    @due = (0...@lines.size).to_a.reverse
  end

  def nextTuple
    at = @due.pop
    emit([@lines[at]], :id => at) if at
  end

  def fail(id)
    @due.push(id)
  end
end

Lines.new.run
