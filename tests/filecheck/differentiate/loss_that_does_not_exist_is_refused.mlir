// RUN: differentiate{loss=hinge}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  func.return %x : tensor<4xf32>
}
// error: differentiate: there is no loss 'hinge'
// error: it is one of cross-entropy
