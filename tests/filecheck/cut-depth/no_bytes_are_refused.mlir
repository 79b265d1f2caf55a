// RUN: cut-depth{sram=0}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  func.return %x : tensor<4xf32>
}
// error: cut-depth: a node has some bytes
// error: sram = 0
