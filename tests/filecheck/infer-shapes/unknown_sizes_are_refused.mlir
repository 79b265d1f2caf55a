// RUN: infer-shapes
func.func @main(%x: tensor<?x6xf32>, %y: tensor<3x?xf32>) -> tensor<?x6xf32> {
  func.return %x : tensor<?x6xf32>
}
// error: inputs of unknown size
// error: arg0: tensor<?x6xf32>; arg1: tensor<3x?xf32>
// error: --shape name=1x3x224x224
