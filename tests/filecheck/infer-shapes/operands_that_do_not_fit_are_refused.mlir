// RUN: infer-shapes
func.func @main(%x: tensor<4x6xf32>, %y: tensor<4x5xf32>) -> tensor<4x6xf32> {
  %a = nn.add %x, %y {loc = "node 'Add_7' (Add)"} : (tensor<4x6xf32>, tensor<4x5xf32>) -> tensor<4x6xf32>
  func.return %a : tensor<4x6xf32>
}
// error: operands must have equal shapes
// error: node 'Add_7' (Add)
