// RUN: canonicalise
func.func @main(%x: tensor<4xf32>) -> tensor<4xi32> {
  %a = builtin.unrealized_conversion_cast %x : tensor<4xf32> to tensor<4xi32>
  func.return %a : tensor<4xi32>
}
// error: pass 'canonicalise' takes form 'nn'
// error: builtin.unrealized_conversion_cast
// error: the form allows ops of the nn dialect
